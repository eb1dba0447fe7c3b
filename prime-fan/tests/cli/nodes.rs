//! Nodes on other machines, which are processes on this one, over a real NATS server. Without one these tests are skipped.

use std::path::Path;

use tempfile::TempDir;

use crate::nats::Server;
use crate::program::{Ended, Running, prime_fan, run};

impl Server {
    fn node(&self, name: &str) -> Running {
        let mut node = Running::start(&format!("node --nats {} --name {name} --workers 1", self.url));
        let line = node.error_line();
        assert!(line.starts_with(&format!("prime-fan: node {name}-")) && line.contains(" serves "), "{line}");
        node
    }

    fn run(&self, arguments: &str) -> Ended {
        run(&format!("{arguments} --nats {}", self.url))
    }
}

/// The whole output of one machine.
fn locally(arguments: &str) -> String {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn two_nodes_print_what_one_machine_prints() {
    let Some(server) = Server::start(true) else { return };
    let _nodes = [server.node("a"), server.node("b")];
    let folder = TempDir::new().unwrap();
    let numbers: String = (0..60_000).map(|n| format!("{n}{}", if n % 7 == 0 { "\n" } else { " " })).collect();
    let numbers = write(folder.path(), "numbers", &numbers);
    let bad = write(folder.path(), "bad", "7 x\n\n-4 11 1e99\n");
    for arguments in [
        "range 0..2e6",
        "range 1e15..+2e5 --format json",
        "range 0..1e6 --twins --format csv",
        "range 0..1e8 --count",
        "range 24..29",
        "range 1e9.. --number 50",
        "range 0..1e6 --down --number 3000 --format csv",
        "range 0..1e6 --tuplets 4",
        "range 0..1e7 --count --tuplets 1,2,6",
        "random --seed 3 --number 40 --ordered --quiet",
        "random --seed 3 --number 5 --bits 30 --finder trial --ordered --format csv --quiet",
        "random --seed 3 --number 9 --tested 20 --ordered --quiet",
        &format!("filter {numbers}"),
        &format!("filter {numbers} {bad} 2^61 --location --format json --bad report"),
        &format!("filter {numbers} {bad} {numbers} --annotate"),
        &format!("filter {bad} {numbers} --count --bad skip"),
        &format!("filter {numbers} no-such-file 17"),
    ] {
        let (expected, ended) = (run(arguments), server.run(arguments));
        assert!(ended.stdout == expected.stdout, "{arguments}: {}", ended.stderr);
        assert_eq!((ended.code, ended.stderr), (expected.code, expected.stderr), "{arguments}");
    }
}

#[test]
fn statistics_tell_what_each_node_did() {
    let Some(server) = Server::start(true) else { return };
    let _node = server.node("a");
    let ended = server.run("range 0..1e6 --count --stats json");
    let statistics: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
    let node = &statistics["nodes"][0];
    assert!(node["name"].as_str().unwrap().starts_with("a-"), "{statistics}");
    assert_eq!(node["items"], statistics["items"]["completed"]);
    let ended = server.run("range 0..1e6 --count --stats text");
    assert!(ended.stderr.contains("\nnode a-"), "{}", ended.stderr);
}

#[test]
fn a_node_that_drains_takes_nothing_along() {
    let Some(server) = Server::start(true) else { return };
    let (leaves, _stays) = (server.node("a"), server.node("b"));
    let arguments = "range 0..6e6";
    let mut running = Running::start(&format!("{arguments} --nats {}", server.url));
    let first = running.line();
    leaves.kill("-TERM");
    let left = leaves.end();
    assert_eq!((left.code, left.signal), (Some(0), None), "{}", left.stderr);
    assert!(left.stderr.contains(" has ended, after "), "{}", left.stderr);
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(format!("{first}\n{}", ended.stdout) == locally(arguments));
}

#[test]
fn a_second_signal_has_a_node_give_back_what_it_has() {
    let Some(server) = Server::start(true) else { return };
    let mut leaves = server.node("a");
    // Trial division of this prime takes seconds.
    let prime = "18446744073709551557";
    let arguments = format!("random --finder trial --min {prime} --max {prime} --number 1 --seed 1 -v");
    let mut running = Running::start(&format!("{arguments} --nats {}", server.url));
    while !running.error_line().contains("fan-out over nodes started") {}
    leaves.kill("-INT");
    assert!(leaves.error_line().contains("a second signal gives them back"));
    // A signal that comes too soon after the first counts as the same.
    while !leaves.has_ended() {
        leaves.kill("-INT");
    }
    assert!(matches!(leaves.end(), Ended { signal: Some(2), .. } | Ended { code: Some(0), .. }));
    let _stays = server.node("b");
    running.kill("-INT");
    assert_eq!(running.end().signal, Some(2));
}

#[test]
fn ctrl_c_leaves_no_jobs() {
    let Some(server) = Server::start(true) else { return };
    let _nodes = [server.node("a"), server.node("b")];
    for arguments in ["random --number 18446744073709551615 --seed 1", "range 0..1e15"] {
        let mut running = Running::start(&format!("{arguments} --nats {}", server.url));
        running.line();
        running.kill("-INT");
        let ended = running.end();
        assert_eq!(ended.signal, Some(2), "{}", ended.stderr);
        let stdout = server.run("doctor").stdout;
        assert!(stdout.contains(" FAN2_JOBS: 0 messages"), "{stdout}");
    }
}

/// Without a node there are no results to wait for, and a search that drained would not end.
#[test]
fn ctrl_c_ends_a_search_without_nodes() {
    let Some(server) = Server::start(true) else { return };
    let mut running = Running::start(&format!("range 0..1e9 --progress always --nats {}", server.url));
    while !running.error_line().contains("no node has answered yet") {}
    running.kill("-INT");
    let ended = running.end();
    assert_eq!((ended.signal, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
}

#[test]
fn a_run_whose_coordinator_was_killed_is_resumed() {
    let Some(server) = Server::start(true) else { return };
    let _nodes = [server.node("a"), server.node("b")];
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("primes");
    for (name, arguments, other) in [
        ("r1", "range 0..3e6", "range 0..4e6"),
        ("r2", "random --seed 1 --ordered --number 200 --quiet", "random --seed 2 --ordered --number 200 --quiet"),
    ] {
        let mut running = Running::start(&format!("{arguments} --run {name} --nats {}", server.url));
        let first = running.line();
        running.kill("-KILL");
        let killed = running.end();
        assert_eq!(killed.signal, Some(9));
        let printed = format!("{first}\n{}", killed.stdout);
        // A run with other arguments takes nothing of it.
        assert!(server.run(&format!("{other} --run {name}")).stdout == locally(other), "{other}");
        let arguments_to_file =
            format!("{} --run {name} --output {}", arguments.replace("--quiet", ""), path.display());
        let ended = server.run(&format!("{arguments_to_file} -v"));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains(" goes on: outcomes of "), "{}", ended.stderr);
        assert!(std::fs::read_to_string(&path).unwrap() == locally(arguments), "{arguments}");
        // Or what it had printed is completed.
        std::fs::write(&path, printed).unwrap();
        let ended = server.run(&format!("{arguments_to_file} --continue"));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(std::fs::read_to_string(&path).unwrap() == locally(arguments), "{arguments}");
    }
}

#[test]
fn a_node_refuses_what_costs_too_much() {
    let Some(server) = Server::start(true) else { return };
    let mut node = Running::start(&format!("node --nats {} --workers 1 --max-cost 1000", server.url));
    node.error_line();
    let ended = server.run("range 0..1e6 --count");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(70), ""));
    assert!(ended.stderr.contains("this node takes at most 1000: see --max-cost"), "{}", ended.stderr);
    let trial = "random --finder trial --seed 1 --number 1";
    assert_eq!(server.run(&format!("{trial} --max 1000000")).code, Some(0));
    let ended = server.run(&format!("{trial} --min 1002001 --max 1010000"));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(70), ""));
    assert!(ended.stderr.contains("numbers up to 100"), "{}", ended.stderr);
    assert!(ended.stderr.contains("this node takes at most 1000: see --max-cost"), "{}", ended.stderr);
}

#[test]
fn the_doctor_says_what_is_bad() {
    let Some(server) = Server::start(true) else { return };
    let ended = server.run("doctor");
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains("FAN2_JOBS is not there yet"), "{}", ended.stdout);
    let _node = server.node("a");
    let ended = server.run("doctor");
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    for found in ["ok   permissions   may send jobs and purge them", "ok   nodes         nodes-segments-1: "] {
        assert!(ended.stdout.contains(found), "{found} in {}", ended.stdout);
    }
    let without = Server::start(false).expect("there was one before");
    let ended = without.run("doctor --quiet");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.starts_with("bad  jetstream ") && ended.stdout.contains("--jetstream"), "{}", ended.stdout);
    for command in ["node", "range 0..9"] {
        let ended = without.run(command);
        assert_eq!(ended.code, Some(69), "{command}: {}", ended.stderr);
    }
}

#[test]
fn a_name_and_a_password_may_stand_in_the_address() {
    let Some(mut server) = Server::start_with(true, &["--user", "me", "--pass", "secret"]) else { return };
    let address = server.url.strip_prefix("nats://").unwrap().to_owned();
    server.url = format!("nats://me:secret@{address}");
    assert_eq!(server.run("doctor").code, Some(0));
    server.url = format!("nats://me:other@{address}");
    let ended = server.run("range 0..9");
    assert_eq!(ended.code, Some(69));
    assert!(ended.stderr.contains("authorization violation") && !ended.stderr.contains("other"), "{}", ended.stderr);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    // A port that no server has: it is reserved.
    let nowhere = "--nats nats://me:secret@127.0.0.1:1";
    let ended = run(&format!("doctor {nowhere}"));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.starts_with("bad  connection    nats://127.0.0.1:1 "), "{}", ended.stdout);
    for command in ["node", "range 0..9"] {
        let ended = run(&format!("{command} {nowhere}"));
        assert_eq!(ended.code, Some(69), "{}", ended.stderr);
        assert!(
            ended.stderr.starts_with("prime-fan: nats://127.0.0.1:1 could not be connected to: "),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn what_does_not_go_together_with_nodes_is_refused() {
    for (arguments, reason) in [
        ("range 0..9 --workers 2", "--workers is the number of threads on this machine"),
        ("random --run a", "--run needs --seed N"),
        ("filter --run a", "--run needs an input that is the same each time"),
        ("range 0..9 --run a.b", "give 1 to 40 of A-Z, a-z, 0-9, - and _"),
    ] {
        let ended: Ended = prime_fan(&format!("{arguments} --nats nats://127.0.0.1:1")).output().unwrap().into();
        assert_eq!(ended.code, Some(2), "{arguments}");
        assert!(ended.stderr.contains(reason), "{arguments}: {}", ended.stderr);
    }
}
