//! The rules of axe-core for accessible pages.

use std::env;
use std::fs::read_to_string;
use std::io::{Write, stderr};

use serde_json::json;

use crate::browser::Browser;
use crate::patience::until;
use crate::server::Server;

/// The script of axe-core.
pub(crate) struct Axe(String);

impl Axe {
    /// Reads the script that the environment names, or says that it names none.
    pub(crate) fn find() -> Option<Self> {
        let Some(axe) = env::var_os("AXE") else {
            stderr().write_all(b"skipped: no AXE in the environment\n").expect("there is a standard error");
            return None;
        };
        Some(Self(read_to_string(axe).expect("AXE names axe.min.js")))
    }

    /// Checks the page as it is.
    pub(crate) fn finds_nothing(&self, browser: &Browser, when: &str) {
        browser.run(&format!("if (!window.axe) {{ {}; window.axe = axe }}", self.0));
        browser.run(
            "window.found = null; axe.run().then(({ violations }) => { window.found = violations.map(({ id, nodes }) =>
                `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`); })",
        );
        let found = until("axe has looked", || Some(browser.run("return window.found")).filter(|it| !it.is_null()));
        assert_eq!(found, json!([]), "{when}");
    }
}

#[test]
fn no_rule_of_axe_is_broken_before_during_and_after_a_search_in_either_colour_scheme() {
    let Some(axe) = Axe::find() else { return };
    let Some(browser) = Browser::start() else { return };
    for (workers, width, height, scheme) in
        [(2, 1280, 800, "light"), (16, 320, 640, "dark"), (64, 740, 360, "light"), (4, 1280, 800, "dark")]
    {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.command("Emulation.setEmulatedMedia", json!({ "features": features }));
        browser.screen(width, height);
        let server = Server::start(workers);
        browser.load(&format!("{}?bits=20&finder=fast&panic=1000", server.url()));
        browser.until_state("ready");
        let clean = |when: &str| {
            axe.finds_nothing(&browser, &format!("{when}, {workers} workers on {width} x {height}, {scheme}"));
        };
        clean("before a search");
        browser.run("document.querySelector('#start').click()");
        until("items have failed", || (!browser.text("#note").is_empty()).then_some(()));
        clean("during a search");
        browser.run("document.querySelector('#stop').click()");
        until("there is a summary", || {
            (browser.run("return document.querySelector('#summary').hidden") == false).then_some(())
        });
        clean("after a search");
    }
}
