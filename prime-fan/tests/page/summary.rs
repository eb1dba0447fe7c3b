//! The summary of a search that has ended.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::patience::until;
use crate::scripted::{Scripted, pipeline};
use crate::server::Server;

fn hidden(browser: &Browser) -> Value {
    browser.run("return document.querySelector('#summary').hidden")
}

#[test]
fn the_final_numbers_stay_until_the_next_start() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    browser.load(&server.url());
    browser.until_state("ready");
    server.pipelines(json!([pipeline(7, None)]));
    browser.click("#start");
    until("the page asks for primes", || (server.asked("/primes") == 1).then_some(()));
    server.send("event: start\ndata: {\"id\":7}\n\n");
    browser.until_state("live");
    assert_eq!(hidden(&browser), true);

    let mut end = pipeline(7, Some("drained"));
    end["verdict"] = json!({ "bottleneck": "consumer", "share": 0.619 });
    server.pipelines(json!([end]));
    server.send("event: end\ndata: {\"end\":\"drained\"}\n\n");
    until("there is a summary", || (hidden(&browser) == false).then_some(()));
    assert_eq!(browser.text("#summary-title"), "Search 7 ran for 1.0 s: drained");
    let rows = || {
        let names = browser.texts("#summary-rows dt");
        names.into_iter().zip(browser.texts("#summary-rows dd")).map(|(name, value)| format!("{name}: {value}"))
    };
    let rows: Vec<String> = rows().collect();
    for row in [
        "Drawn: 100 (100 /s)",
        "Found: 5 (5.0 /s)",
        "Most in flight: 10 of 64",
        "Limited by: the consumer, 61 % of the time",
    ] {
        assert!(rows.iter().any(|shown| shown == row), "{row} in {rows:?}");
    }

    // The server lists an ended pipeline only for some seconds.
    server.pipelines(json!([]));
    let before = server.asked("/stats");
    until("the page looks again", || (server.asked("/stats") >= before + 3).then_some(()));
    assert_eq!((hidden(&browser), browser.texts("#summary-rows dd").len()), (json!(false), rows.len()));
    browser.click("#start");
    until("the page asks for primes", || (server.asked("/primes") == 2).then_some(()));
    assert_eq!(hidden(&browser), true);
}

#[test]
fn a_stop_leaves_a_summary_of_the_numbers_of_the_server() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    browser.load(&server.url());
    browser.until_state("ready");
    browser.click("#start");
    until("primes come", || (!browser.texts("#primes li").is_empty()).then_some(()));
    browser.click("#stop");
    until("there is a summary", || (hidden(&browser) == false).then_some(()));
    let pipeline = server.pipeline();
    let taken = browser.texts("#summary-rows dd")[1].replace(',', "");
    assert!(taken.starts_with(&format!("{} (", pipeline["taken"])), "{taken} {pipeline}");
}
