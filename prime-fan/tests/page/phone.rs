//! The page on a phone.

use serde_json::json;

use crate::browser::Browser;
use crate::patience::until;
use crate::server::Server;

#[test]
fn nothing_scrolls_sideways_on_a_phone_and_thumbs_hit_the_buttons() {
    let Some(browser) = Browser::start() else { return };
    browser.command(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true }),
    );
    for workers in [1, 3, 9, 64] {
        let server = Server::start(workers);
        browser.load(&server.url());
        browser.until_state("ready");
        // Numbers of the greatest length, at a high rate.
        browser.run(
            "const bits = document.querySelector('#bits'); bits.value = 64; bits.dispatchEvent(new Event('input'))",
        );
        browser.run("document.querySelector('[name=finder][value=fast]').click()");
        browser.click("#start");
        until("the list is full", || (browser.texts("#primes li").len() == 200).then_some(()));
        browser.click("#check-button");
        until("there are verdicts", || (browser.texts("#verdicts li").len() == 4).then_some(()));
        assert_eq!(browser.texts(".lane-name > span").len(), workers);

        let width = browser.run("return document.documentElement.scrollWidth");
        assert_eq!(width, 360, "with {workers} workers");
        let heights = browser.run(
            "return ['#start', '#stop', '#copy', '#check-button', '.choice', '#bits']
            .map(it => document.querySelector(it).getBoundingClientRect().height)",
        );
        let heights: Vec<f64> = serde_json::from_value(heights).expect("they are numbers");
        assert!(heights.iter().all(|height| *height >= 44.0), "{heights:?}");
    }
}
