//! The page on a phone.

use serde_json::json;

use crate::browser::Browser;
use crate::patience::until;
use crate::server::Server;

fn screen(browser: &Browser, width: u32, height: u32) {
    browser.command(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": true }),
    );
}

#[test]
fn nothing_scrolls_sideways_on_a_phone_and_thumbs_hit_the_buttons() {
    let Some(browser) = Browser::start() else { return };
    screen(&browser, 360, 740);
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
            "return ['#start', '#drain', '#stop', '#stop-all', '#copy', '#check-button', '.choice', '#bits', '#pace', '#searches .drain']
            .map(it => document.querySelector(it).getBoundingClientRect().height)",
        );
        let heights: Vec<f64> = serde_json::from_value(heights).expect("they are numbers");
        assert!(heights.iter().all(|height| *height >= 44.0), "{heights:?}");
    }
}

#[test]
fn on_a_phone_on_its_side_the_fan_is_in_sight_and_nothing_covers_it() {
    let Some(browser) = Browser::start() else { return };
    for workers in [2, 16, 64] {
        let server = Server::start(workers);
        for (width, height) in [(568, 320), (740, 360), (932, 430)] {
            screen(&browser, width, height);
            browser.load(&format!("{}?bits=64&finder=fast&panic=1000", server.url()));
            browser.until_state("ready");
            browser.run("document.querySelector('#start').click()");
            until("the list is full", || (browser.texts("#primes li").len() == 200).then_some(()));
            // Each part of the fan is inside of the screen, and nothing spills out of a part. The bar of a gauge is clipped.
            let script = "const inside = (it, { left, top, right, bottom }) => {
                    const box = it.getBoundingClientRect();
                    return box.left >= left && box.top >= top && box.right <= right + 0.5 && box.bottom <= bottom + 0.5;
                };
                const screen = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
                const parts = [...document.querySelectorAll('.generator, .lane, .aggregator')];
                const covered = [...document.querySelectorAll('.lane')].filter((lane) => {
                    const { left, top, width, height } = lane.getBoundingClientRect();
                    return !lane.contains(document.elementFromPoint(left + width / 2, top + height / 2));
                });
                const spilt = parts.flatMap((part) => [...part.querySelectorAll(':not(.gauge i)')].filter((it) =>
                    it.getClientRects().length > 0 && !inside(it, part.getBoundingClientRect())));
                return [scrollY, document.documentElement.scrollWidth, covered.length, spilt.length,
                    parts.filter((part) => !inside(part, screen)).length]";
            assert_eq!(browser.run(script), json!([0, width, 0, 0, 0]), "{workers} workers on {width} x {height}");
            browser.click("#stop");
            browser.until_state("stopped in ");
        }
    }
}
