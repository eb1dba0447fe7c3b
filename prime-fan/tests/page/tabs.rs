//! Several tabs, and a server that ends and comes back.

use serde_json::Value;

use crate::browser::Browser;
use crate::patience::until;
use crate::server::Server;

/// Loads the page into the current tab and starts a search.
fn start(browser: &Browser, server: &Server) {
    browser.load(&server.url());
    until("the page may start", || {
        (browser.run("return document.querySelector('#start').ariaDisabled") == Value::Null).then_some(())
    });
    browser.run("document.querySelector('#bits').value = 32");
    browser.click("#start");
    browser.until_state("live");
}

fn running(server: &Server) -> Vec<Value> {
    server.pipelines().into_iter().filter(|pipeline| pipeline["ended"] == false).map(|mut it| it["id"].take()).collect()
}

fn found(browser: &Browser) -> u64 {
    browser.text("#found").replace(',', "").parse().expect("it is a number")
}

#[test]
fn stop_ends_the_search_of_its_own_tab_and_stop_all_every_one() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    let first = browser.tab();
    start(&browser, &server);
    let ids = running(&server);
    let second = browser.open_tab();
    start(&browser, &server);
    until("the page knows of both", || (browser.text("#others") == "1 other search running.").then_some(()));
    browser.click("#stop");
    browser.until_state("stopped in ");
    until("one is left", || (running(&server) == ids).then_some(()));

    browser.look_at(&first);
    assert_eq!(browser.text("#state-text"), "live");
    let before = found(&browser);
    until("it goes on", || (found(&browser) > before).then_some(()));

    browser.look_at(&second);
    until("there is something to stop", || {
        (browser.run("return document.querySelector('#stop-all').ariaDisabled") == Value::Null).then_some(())
    });
    browser.click("#stop-all");
    until("none is left", || running(&server).is_empty().then_some(()));
    browser.look_at(&first);
    browser.until_state("stopped elsewhere");
}

#[test]
fn a_server_that_goes_is_told_with_no_figure_left_and_so_is_its_return() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(1);
    start(&browser, &server);
    until("there is a rate", || (browser.text("#tested-rate") != "0").then_some(()));
    let port = server.port();
    drop(server);
    browser.until_state("server gone");
    for figure in ["#tested-rate", "#taken-rate", "#prime-rate", "#in-flight-now", "#taken", ".lane-busy", ".lane-rate"]
    {
        assert_eq!(browser.text(figure), "–", "{figure}");
    }
    for button in ["#start", "#stop", "#stop-all"] {
        let script = format!("return document.querySelector({button:?}).ariaDisabled");
        assert_eq!(browser.run(&script), "true", "{button}");
    }
    let _server = Server::again(port);
    browser.until_state("ready");
    browser.click("#start");
    browser.until_state("live");
}

#[test]
fn controls_that_are_changed_say_nothing_of_the_search_that_runs() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    start(&browser, &server);
    let hidden = || browser.run("return document.querySelector('#differs').hidden");
    assert_eq!(
        (browser.text("#run").as_str(), hidden()),
        ("Your search: 32 bits, trial division, all primes.", true.into())
    );
    browser.run("document.querySelector('[name=finder][value=fast]').click()");
    assert_eq!(
        (browser.text("#run").as_str(), hidden()),
        ("Your search: 32 bits, trial division, all primes.", false.into())
    );
    browser.run("document.querySelector('[name=finder][value=trial]').click()");
    assert_eq!(hidden(), true);
}

#[test]
fn a_fan_has_four_workers_at_least_and_a_slow_visitor_fills_the_window() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::with(&["--port", "0"]);
    browser.load(&server.url());
    browser.until_state("ready");
    assert!(browser.texts(".lane-name > span").len() >= 4);
    browser.slide("#pace", 2);
    browser.click("#start");
    until("the window is full", || (browser.text("#generating") == "waits: window full").then_some(()));
    let pipeline = server.pipeline();
    assert!(pipeline["emitted"].as_u64() < Some(200), "it took so many primes to fill: {pipeline}");
}
