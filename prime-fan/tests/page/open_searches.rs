//! The list of open searches, with Drain and Stop for each.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::patience::until;
use crate::scripted::{Scripted, pipeline};
use crate::server::Server;

fn names(browser: &Browser) -> Vec<String> {
    browser.texts("#searches .search-name")
}

/// Returns the ids of the searches that have not ended.
fn open(server: &Server) -> Vec<Value> {
    server.pipelines().into_iter().filter(|pipeline| pipeline["ended"] == false).map(|mut it| it["id"].take()).collect()
}

#[test]
fn every_open_search_is_listed_and_each_has_a_stop() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    let first = browser.tab();
    browser.load(&server.url());
    browser.until_state("ready");
    browser.click("#start");
    browser.until_state("live");
    browser.open_tab();
    browser.load(&server.url());
    browser.until_state("live elsewhere");
    browser.click("#start");
    until("both are listed", || (names(&browser) == ["1", "2 (yours)"]).then_some(()));
    assert_eq!(browser.text("#searches-title"), "2 open searches");
    assert_eq!(browser.text("#set"), "All searches share 2 worker threads.");
    assert!(browser.text("#searches .search-settings").starts_with("48 bits, trial division, all primes"));

    browser.click("[aria-label='Stop search 1']");
    until("one is left", || (names(&browser) == ["2 (yours)"]).then_some(()));
    until("it has ended", || (open(&server) == [json!(2)]).then_some(()));
    assert_eq!(browser.text("#state-text"), "live");
    // The button that had the focus is gone.
    assert_eq!(browser.run("return document.activeElement.id"), "searches-title");

    browser.click("[aria-label='Stop search 2']");
    browser.until_state("stopped in ");
    until("none is left", || names(&browser).is_empty().then_some(()));
    assert_eq!(browser.text("#searches-title"), "No open search");
    browser.look_at(&first);
    browser.until_state("stopped elsewhere");
}

#[test]
fn a_search_that_drains_loses_nothing_and_can_still_be_stopped() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    browser.load(&server.url());
    browser.until_state("ready");
    browser.click("#start");
    browser.until_state("live");
    browser.click("#drain");
    browser.until_state("drained");
    let drained = server.pipeline();
    assert_eq!(
        (&drained["end"], &drained["skipped"], &drained["in_flight"]),
        (&json!("drained"), &json!(0), &json!(0))
    );
    let found = |browser: &Browser| browser.text("#found").replace(',', "").parse::<u64>().expect("it is a number");
    assert_eq!(json!(found(&browser)), drained["emitted"]);

    // So many results wait for a slow consumer that the drain takes minutes.
    browser.slide("#pace", 2);
    browser.run("document.querySelector('[name=finder][value=fast]').click()");
    browser.click("#start");
    until("the window is full", || (browser.text("#generating") == "waits: window full").then_some(()));
    browser.click("#drain");
    browser.until_state("draining");
    until("the list says so", || (names(&browser) == ["2 (yours), draining"]).then_some(()));
    let disabled = "return document.querySelector('#searches .drain').ariaDisabled";
    assert_eq!(browser.run(disabled), "true");
    assert_eq!(open(&server), [json!(2)]);
    browser.click("#stop");
    browser.until_state("stopped in ");
    assert!(open(&server).is_empty());
}

#[test]
fn a_drain_before_the_stream_has_begun_is_kept() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    browser.load(&server.url());
    browser.until_state("ready");
    browser.click("#start");
    until("the page asks for primes", || (server.asked("/primes") == 1).then_some(()));
    browser.click("#drain");
    browser.until_state("draining");
    server.send("event: start\ndata: {\"id\":9}\n\n");
    until("the page asks to drain", || (server.asked("/searches/9/drain") == 1).then_some(()));
    server.pipelines(json!([pipeline(9, Some("drained"))]));
    server.send("event: end\ndata: {\"end\":\"drained\"}\n\n");
    browser.until_state("drained");
}
