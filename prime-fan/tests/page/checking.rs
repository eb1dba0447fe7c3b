//! The form of the page that checks numbers.

use serde_json::json;

use crate::browser::Browser;
use crate::patience::until;
use crate::server::Server;

fn check(browser: &Browser, numbers: &str) {
    browser.run(&format!("document.querySelector('#numbers').value = {numbers}"));
    browser.click("#check-button");
}

#[test]
fn numbers_are_read_and_judged_as_the_program_does() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(1);
    browser.load(&server.url());
    check(
        &browser,
        "'0 1 2 +91, 1_009; 0x61 1e3 10^3 18446744073709551616 2^64 1E+2 170141183460469231731687303715884105727'",
    );
    until("there are verdicts", || (browser.texts("#verdicts li").len() == 12).then_some(()));
    assert_eq!(
        browser.texts("#verdicts li"),
        [
            "0",
            "1",
            "2",
            "91",
            "1009",
            "97",
            "1000",
            "1000",
            "18446744073709551616",
            "18446744073709551616",
            "100",
            "170141183460469231731687303715884105727"
        ]
    );
    assert_eq!(
        browser.texts("#verdicts li > span"),
        [
            "neither",
            "neither",
            "prime",
            "composite",
            "prime",
            "prime",
            "composite",
            "composite",
            "composite",
            "composite",
            "composite",
            "probably prime"
        ]
    );
    for word in ["x", "1,5.0", "2^128", "_1", "1e39", "-1", "0x"] {
        check(&browser, &format!("'97 {word}'"));
        until("the word is refused", || browser.text("#check-note").contains("not a whole number").then_some(()));
        browser.run("document.querySelector('#check-note').textContent = ''");
    }
}

#[test]
fn a_long_word_makes_the_page_no_wider() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(1);
    for width in [1280, 320] {
        browser.command(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700 }),
        );
        browser.load(&server.url());
        check(&browser, "'x'.repeat(200000)");
        until("the word is refused", || (!["", "checking"].contains(&&*browser.text("#check-note"))).then_some(()));
        let wider = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(wider, 0, "at {width} px");
        assert!(browser.text("#check-note").chars().count() <= 201);
    }
}
