//! Nodes on other machines, which do the searches in place of worker threads.

use serde_json::{Value, json};

use crate::axe::Axe;
use crate::browser::Browser;
use crate::patience::until;
use crate::scripted::{Scripted, pipeline};

/// What the page tells of one node: its name, its batches in flight, and what became of it.
fn rows(browser: &Browser) -> Value {
    browser.run(
        "return [...document.querySelectorAll('#node-rows tr')].map(row =>
            [row.children[0], row.children[2], row.children[3]].map(cell => cell.textContent))",
    )
}

fn node(name: &str, in_flight: u32, draining: bool, silent: f64) -> Value {
    json!({
        "name": name, "items": 10, "batches": 2, "busy_seconds": 0.5, "slots": 4, "in_flight": in_flight,
        "draining": draining, "silent_seconds": silent,
    })
}

/// A search that these nodes do.
fn search(nodes: Vec<Value>) -> Value {
    let mut search = pipeline(3, None);
    search["workers"] = json!([]);
    search["nodes"] = json!(nodes);
    search
}

/// So many nodes, of which the last ones are silent, leave, have left, and are gone.
fn many(count: usize) -> Vec<Value> {
    let mut nodes: Vec<_> = (0..count).map(|i| node(&format!("node-{i}-aBcDeF"), 3, false, 0.1)).collect();
    let fates = [(2, false, 7.5), (1, true, 0.2), (0, true, 1.0), (4, false, 75.0)];
    for ((at, node), (in_flight, draining, silent)) in nodes.iter_mut().enumerate().skip(count - 4).zip(fates) {
        *node = self::node(&format!("node-{at}-aBcDeF"), in_flight, draining, silent);
    }
    nodes
}

#[test]
fn each_node_is_shown_with_its_rate_its_batches_and_when_it_was_heard() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    server.has_nodes();
    browser.load(&server.url());
    until("nodes are expected", || browser.text("#lanes").contains("once they have answered").then_some(()));
    server.pipelines(json!([search(vec![])]));
    until("a search runs", || (browser.text("#nodes-title") == "No node has answered yet").then_some(()));

    let mut nodes = many(6);
    let after = |seconds: f64, nodes: &[Value]| {
        let mut search = search(nodes.to_vec());
        search["elapsed_seconds"] = json!(seconds);
        server.pipelines(json!([search]));
    };
    after(2.0, &nodes);
    until("the nodes are there", || (browser.text("#nodes-title") == "4 nodes, 2 left or gone").then_some(()));
    let expected = json!([
        ["node-0-aBcDeF", "3 of 4", "now"],
        ["node-1-aBcDeF", "3 of 4", "now"],
        ["node-2-aBcDeF", "2 of 4", "silent, 7 s ago"],
        ["node-3-aBcDeF", "1 of 4", "leaving, now"],
        ["node-4-aBcDeF", "0 of 4", "left, 1 s ago"],
        ["node-5-aBcDeF", "4 of 4", "gone, 75 s ago"],
    ]);
    assert_eq!(rows(&browser), expected);
    // The one that is gone is in the table alone.
    assert_eq!(browser.texts(".lane-name").len(), 5);
    assert_eq!(browser.text(".lane[data-fate=silent] .lane-told"), "silent, heard 7 s ago");
    let title = browser.run("return document.querySelector('.lane').title");
    assert_eq!(title, "Node node-0-aBcDeF; 3 of 4 batches; heard now");

    // So long after that the rate from before counts for nothing.
    nodes[0]["items"] = json!(100);
    after(102.0, &nodes);
    until("it has a rate", || (browser.text("#node-rows td") == "0.9").then_some(()));
    for shown in ["#workers", "#panic", "#oldest"] {
        assert!(
            browser.run(&format!("return document.querySelector({shown:?}).checkVisibility()")) == false,
            "{shown}"
        );
    }

    server.pipelines(Value::Null);
    until("nothing is known", || (browser.text("#nodes-title") == "Nodes").then_some(()));
    assert_eq!(rows(&browser), json!([]));
}

#[test]
fn worker_threads_have_no_table_of_nodes() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    server.pipelines(json!([pipeline(3, None)]));
    browser.load(&server.url());
    until("the worker is there", || (browser.texts(".lane-name > span").len() == 1).then_some(()));
    assert_eq!(browser.run("return document.querySelector('.nodes').checkVisibility()"), false);
    assert_eq!(browser.run("return document.querySelector('#workers').checkVisibility()"), false);
    browser.run("document.querySelector('#more').open = true");
    assert_eq!(browser.run("return document.querySelector('#workers').checkVisibility()"), true);
}

#[test]
fn few_and_many_nodes_fit_on_each_screen_and_break_no_rule_of_axe() {
    let Some(browser) = Browser::start() else { return };
    let axe = Axe::find();
    for (count, width, height, scheme) in [
        (4, 1280, 800, "light"),
        (4, 320, 640, "light"),
        (12, 320, 640, "dark"),
        (64, 320, 640, "light"),
        (4, 740, 360, "dark"),
        (8, 740, 360, "light"),
        (64, 740, 360, "light"),
        (64, 1280, 800, "dark"),
    ] {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.command("Emulation.setEmulatedMedia", json!({ "features": features }));
        browser.screen(width, height);
        let server = Scripted::start();
        server.has_nodes();
        server.pipelines(json!([search(many(count))]));
        browser.load(&server.url());
        let about = format!("{count} nodes on {width} x {height}");
        until(&about, || (rows(&browser).as_array().map(Vec::len) == Some(count)).then_some(()));
        let overflow =
            browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(overflow, 0, "{about}");
        // Each text is inside of its cell, and no cell is covered by another.
        let cut = browser.run(
            "return [...document.querySelectorAll('.nodes :is(th, td)')].filter(cell => cell.scrollWidth > cell.clientWidth)
                .map(cell => cell.textContent)",
        );
        assert_eq!(cut, json!([]), "{about}");
        let table = "const box = document.querySelector('#nodes-table'); return box.scrollWidth <= box.clientWidth";
        assert_eq!(browser.run(table), true, "{about}");
        if let Some(axe) = &axe {
            axe.finds_nothing(&browser, &format!("{about}, {scheme}"));
        }
    }
}

#[cfg(feature = "nats")]
mod over_nats {
    use std::env::current_exe;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::thread;

    use super::*;
    use crate::nats;
    use crate::server::{Server, command};

    /// A process, killed when this is dropped.
    struct Process(Child);

    impl Drop for Process {
        fn drop(&mut self) {
            // Fails if it has ended.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Process {
        /// Starts it, and waits until its standard error has a line with all of these words. Returns that line.
        fn start(command: &mut Command, words: &[&str]) -> (Self, String) {
            let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it can be run");
            let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
            let found = lines.find(|line| words.iter().all(|word| line.contains(word)));
            let line = found.unwrap_or_else(|| panic!("{command:?} has ended without {words:?}"));
            // One whose output is not read would block.
            thread::spawn(move || lines.for_each(drop));
            (Self(child), line)
        }

        /// Starts a node, and returns its name.
        fn node(url: &str, name: &str) -> (Self, String) {
            // Cargo's folder of programs is that above the one of the tests.
            let tests = current_exe().expect("a test knows its own path");
            let program = tests.ancestors().nth(2).expect("it is in two folders").join("prime-fan");
            let mut command = Command::new(program);
            command.args(["node", "--nats", url, "--name", name, "--workers", "2"]);
            let (node, line) = Self::start(&mut command, &["node", "serves"]);
            let named = line.split_whitespace().find(|word| word.starts_with(&format!("{name}-")));
            (node, named.expect("it says what it is called").to_owned())
        }

        fn signal(&self, signal: &str) {
            let kill = Command::new("kill").args([format!("-{signal}"), self.0.id().to_string()]).status();
            assert!(kill.expect("there is a kill program").success());
        }
    }

    #[test]
    fn the_nodes_of_a_search_are_shown_and_one_that_leaves_is_told_from_one_that_is_killed() {
        let Some(nats) = nats::Server::start(true) else { return };
        let Some(browser) = Browser::start() else { return };
        let url = &nats.url;
        let (first, first_name) = Process::node(url, "first");
        let (mut second, second_name) = Process::node(url, "second");
        let server = Server::spawn(command().args(["--port", "0", "--nats", url]));
        browser.load(&format!("{}?bits=40&finder=fast&pace=0&workers=1&panic=100", server.url()));
        browser.until_state("ready");
        browser.click("#start");
        browser.until_state("live");
        let names = || -> Vec<Value> {
            let mut names: Vec<Value> =
                rows(&browser).as_array().into_iter().flatten().map(|row| row[0].clone()).collect();
            names.sort_by_key(Value::to_string);
            names
        };
        until("both nodes are there", || (names() == [json!(first_name), json!(second_name)]).then_some(()));
        assert_eq!(browser.texts(".lane-name").len(), 2);
        until("both have a rate", || {
            browser.texts("#node-rows td:nth-child(2)").iter().all(|rate| rate != "0").then_some(())
        });
        assert!(server.pipeline()["nodes"].as_array().is_some_and(|nodes| nodes.iter().all(|node| node["slots"] == 4)));

        first.signal("TERM");
        let fate = |name: &str| {
            let row = format!(
                "[...document.querySelectorAll('#node-rows tr')].find(it => it.firstChild.textContent === {name:?})"
            );
            browser.run(&format!("return {row}.dataset.fate"))
        };
        until("the first one has left", || (fate(&first_name) == "left").then_some(()));
        assert_eq!(fate(&second_name), "");
        second.0.kill().expect("it runs");
        until("the second one is silent", || (fate(&second_name) == "silent").then_some(()));

        // No node is left that could end the items in flight: they are skipped, and nothing waits for them.
        browser.click("#stop");
        browser.until_state("stopped");
        until("there is a summary", || {
            browser.texts("#summary-rows dt").iter().any(|name| name == "Nodes that answered").then_some(())
        });
    }
}
