//! The settings of a search: in the address of the page, and those that change while it runs.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::patience::until;
use crate::server::Server;

fn query(browser: &Browser) -> Value {
    browser.run("return location.search")
}

#[test]
fn the_address_carries_the_settings_and_so_does_the_search() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(3);
    let address = "?bits=32&finder=fast&pace=5&workers=2&window=64&panic=100";
    browser.load(&format!("{}{address}", server.url()));
    browser.until_state("ready");
    let shown = || ["bits", "pace", "workers", "window", "panic"].map(|key| browser.text(&format!("#{key}-value")));
    assert_eq!(shown(), ["32", "5/s", "2", "64", "one in 100"]);
    assert_eq!(browser.run("return document.querySelector('#more').open"), true);

    browser.click("#start");
    browser.until_state("live");
    let words = "Your search: 32 bits, fast, 5 primes/s, 2 at a time, window 64, one in 100 panics.";
    assert_eq!(browser.text("#run"), words);
    let search = server.pipeline()["search"].take();
    let wanted = json!({ "bits": 32, "finder": "fast", "pace": 5, "workers": 2, "window": 64, "panic": 100 });
    assert_eq!(search, wanted);
    assert_eq!(query(&browser), address);

    browser.slide("#bits", 40);
    browser.slide("#workers", 3);
    assert_eq!(query(&browser), "?bits=40&finder=fast&pace=5&workers=0&window=64&panic=100");
    assert_eq!(
        browser.text("#differs"),
        "The controls show other settings, which take effect at the next start: bits."
    );
}

/// Before the server tells how many threads it has, the page assumes some number of them.
#[test]
fn the_address_limits_the_workers_of_a_server_of_any_size() {
    let Some(browser) = Browser::start() else { return };
    for threads in [2, 4, 7] {
        let server = Server::start(threads);
        browser.load(&format!("{}?workers=1", server.url()));
        browser.until_state("ready");
        assert_eq!(browser.text("#workers-value"), "1", "of {threads}");
    }
}

#[test]
fn an_address_that_makes_no_sense_leaves_the_controls_as_they_are() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    browser.load(&format!("{}?bits=x&finder=slow&pace=3&workers=99&window=-1&panic=2&what=7", server.url()));
    browser.until_state("ready");
    let shown = ["bits", "pace", "workers", "window", "panic"].map(|key| browser.text(&format!("#{key}-value")));
    assert_eq!(shown, ["48", "all", "all", "by the finder", "none"]);
    browser.click("#start");
    browser.until_state("live");
    assert!(browser.console().is_empty(), "{:?}", browser.console());
}

#[test]
fn the_pace_changes_at_once() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(1);
    browser.load(&format!("{}?bits=20&finder=fast&pace=1", server.url()));
    browser.until_state("ready");
    browser.click("#start");
    until("a prime comes", || (browser.text("#found") != "0").then_some(()));
    // At the old pace, these would take longer than the patience of a test.
    browser.slide("#pace", 10);
    let found = || browser.text("#found").replace(',', "").parse::<u64>().expect("it is a number");
    until("many come", || (found() > 1000).then_some(()));
    assert_eq!(server.pipeline()["search"]["pace"], 0);
    until("the page says so", || browser.text("#run").contains("all primes").then_some(()));
    assert_eq!(browser.run("return document.querySelector('#differs').hidden"), true);
}

#[test]
fn workers_window_and_panics_change_at_once() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(3);
    browser.load(&format!("{}?bits=20&finder=fast&pace=1&workers=1&window=16", server.url()));
    browser.until_state("ready");
    browser.click("#start");
    until("the window is full", || (browser.text("#in-flight-now") == "16").then_some(()));
    assert_eq!(browser.text("#window-now"), "16");
    assert_eq!(server.pipeline()["concurrency"], 1);

    browser.slide("#window", 4);
    until("the larger window is full", || (browser.text("#in-flight-now") == "64").then_some(()));
    assert_eq!(browser.text("#window-now"), "64");
    // What is in flight then still goes on, and is shown as no more than the window.
    browser.slide("#window", 2);
    until("the window is smaller", || (browser.text("#window-now") == "4").then_some(()));
    let script =
        "return ['now', 'max'].map(it => document.querySelector('#in-flight-meter').getAttribute(`aria-value${it}`))";
    assert_eq!(browser.run(script), json!(["4", "4"]));
    let words = "Your search: 20 bits, fast, 1 prime/s, 1 at a time, window 4.";
    until("the page says so", || (browser.text("#run") == words).then_some(()));
    browser.slide("#workers", 2);
    until("another works for it", || (server.pipeline()["concurrency"] == 2).then_some(()));
    // By the finder: 1024 for each worker at a time.
    browser.slide("#window", 0);
    until("the window suits the finder", || (browser.text("#window-now") == "2,048").then_some(()));
    browser.slide("#workers", 3);
    until("and the workers", || (browser.text("#window-now") == "3,072").then_some(()));
    assert_eq!(server.pipeline()["concurrency"], 3);
    assert_eq!(browser.run("return document.querySelector('#failures').hidden"), true);

    browser.slide("#panic", 5);
    browser.slide("#pace", 10);
    until("items fail", || browser.text("#note").contains(" failed; the last: item ").then_some(()));
    let words = "Your search: 20 bits, fast, all primes, each item panics.";
    until("the page says so", || (browser.text("#run") == words).then_some(()));
    let changed = json!({ "bits": 20, "finder": "fast", "pace": 0, "workers": 0, "window": 0, "panic": 1 });
    assert_eq!(server.pipeline()["search"], changed);
    assert_eq!(browser.run("return document.querySelector('#differs').hidden"), true);
    assert!(browser.console().is_empty(), "{:?}", browser.console());
}
