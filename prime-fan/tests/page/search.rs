//! A search that the page starts and stops.

use prime_fan::is_prime;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::patience::until;
use crate::server::Server;

/// Returns the primes on the page, the newest first.
fn primes(browser: &Browser) -> Vec<u64> {
    browser.texts("#primes li").iter().map(|number| number.parse().expect("it is a number")).collect()
}

fn start(browser: &Browser, server: &Server) {
    browser.load(&server.url());
    browser.until_state("ready");
    browser.click("#start");
    until("primes come", || (primes(browser).len() >= 3).then_some(()));
}

/// Waits until the pipeline has ended, and returns its statistics.
fn ended(server: &Server) -> Value {
    until("the pipeline has ended", || Some(server.pipeline()).filter(|pipeline| pipeline["ended"] == true))
}

/// Checks the time of a stop, which the page measures from the click to the answer that the pipeline has ended.
fn assert_stopped_within_a_second(browser: &Browser) {
    browser.until_state("stopped in ");
    let state = browser.text("#state-text");
    let took = state.trim_start_matches("stopped in ").trim_end_matches(" ms").replace(',', "");
    assert!(took.parse::<u32>().expect("it is a number") < 1000, "{state}");
}

fn assert_settled(pipeline: &Value) {
    let count = |name: &str| pipeline[name].as_u64().unwrap_or_else(|| panic!("{name} in {pipeline}"));
    assert_eq!(count("in_flight"), 0, "{pipeline}");
    assert_eq!(count("taken"), count("completed") + count("failed") + count("skipped"), "{pipeline}");
}

#[test]
fn the_page_shows_primes_as_they_come_and_how_busy_each_worker_is() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    start(&browser, &server);
    browser.until_state("live");
    let seen = primes(&browser);
    assert!(seen.iter().copied().all(is_prime), "{seen:?}");
    until("newer primes come", || (primes(&browser)[0] != seen[0]).then_some(()));
    assert_eq!(browser.texts(".lane-name > span").len(), 2);
    until("every worker is busy", || browser.texts(".lane-busy").iter().all(|busy| busy != "0 %").then_some(()));
    until("numbers are tested", || (browser.text("#tested-rate") != "0").then_some(()));
}

#[test]
fn stop_stops_within_a_second_and_the_list_stands_still() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    start(&browser, &server);
    browser.click("#stop");
    assert_stopped_within_a_second(&browser);
    let stopped = server.pipeline();
    assert_eq!((&stopped["stopped"], &stopped["ended"]), (&json!(true), &json!(true)));
    assert_settled(&stopped);

    let still = primes(&browser);
    until("the page has looked at idle workers", || {
        browser.texts(".lane-busy").iter().all(|busy| busy == "0 %").then_some(())
    });
    assert_eq!(primes(&browser), still);
    assert_eq!(server.pipeline(), stopped, "a worker still runs");

    browser.click("#start");
    browser.until_state("live");
    until("primes come again", || (!primes(&browser).is_empty()).then_some(()));
}

#[test]
fn stop_stops_a_search_that_has_found_nothing_yet() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    browser.load(&server.url());
    browser.until_state("ready");
    // Trial division takes seconds for a prime of 64 bits.
    browser
        .run("const bits = document.querySelector('#bits'); bits.value = 64; bits.dispatchEvent(new Event('input'))");
    browser.click("#start");
    browser.until_state("live");
    browser.click("#stop");
    assert_stopped_within_a_second(&browser);
    assert_settled(&server.pipeline());
}

#[test]
fn closing_the_tab_frees_the_workers() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    start(&browser, &server);
    assert_eq!(server.pipeline()["ended"], false);
    browser.close_tab();
    let stopped = ended(&server);
    assert_eq!(stopped["stopped"], true);
    assert_settled(&stopped);
}
