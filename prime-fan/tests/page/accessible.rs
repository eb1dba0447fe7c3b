//! The page with a keyboard, a larger font, forced colours, and without JavaScript.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::patience::until;
use crate::server::Server;

const ENTER: &str = "\u{e007}";

fn focused(browser: &Browser) -> Value {
    browser.run("return document.activeElement.id")
}

#[test]
fn a_button_that_is_pressed_by_keyboard_keeps_the_focus() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(1);
    browser.load(&server.url());
    browser.until_state("ready");
    browser.run("document.querySelector('#start').focus()");
    browser.press(ENTER);
    browser.until_state("live");
    assert_eq!(focused(&browser), "start");
    browser.run("document.querySelector('#stop').focus()");
    browser.press(ENTER);
    browser.until_state("stopped in ");
    assert_eq!(focused(&browser), "stop");
    // The button is disabled now: a press has no effect.
    browser.press(ENTER);
    assert!(browser.text("#state-text").starts_with("stopped in "));
    browser.run("document.querySelector('#check-button').focus()");
    browser.press(ENTER);
    until("there are verdicts", || (browser.texts("#verdicts li").len() == 4).then_some(()));
    assert_eq!(focused(&browser), "check-button");
}

#[test]
fn letters_grow_with_those_that_the_visitor_chose() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(1);
    browser.load(&server.url());
    browser.until_state("ready");
    let sizes = || {
        let script = "return [...document.querySelectorAll('body, body *:not(script)')].map(it => parseFloat(getComputedStyle(it).fontSize))";
        serde_json::from_value::<Vec<f64>>(browser.run(script)).expect("they are numbers")
    };
    let before = sizes();
    browser.run("document.documentElement.style.fontSize = '200%'");
    let after = sizes();
    assert!(before.len() > 50 && before.len() == after.len());
    for (before, after) in before.iter().zip(&after) {
        assert!((after - 2.0 * before).abs() < 0.1, "{before} px became {after} px");
    }
}

#[test]
fn colours_that_the_visitor_chose_leave_gauge_and_lamp() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(1);
    browser
        .command("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "forced-colors", "value": "active" }] }));
    browser.load(&server.url());
    browser.until_state("ready");
    browser.click("#start");
    browser.until_state("live");
    let style = |selector: &str, property: &str| {
        browser.run(&format!("return getComputedStyle(document.querySelector({selector:?}))[{property:?}]"))
    };
    let canvas = style("body", "backgroundColor");
    for filled in [".state-lamp", ".lane .gauge i", "#in-flight-meter i"] {
        assert_ne!(style(filled, "backgroundColor"), canvas, "{filled}");
    }
    for edged in [".state-lamp", ".lane .gauge", "#in-flight-meter"] {
        assert_eq!(style(edged, "borderTopWidth"), "1px", "{edged}");
    }
}

#[test]
fn without_its_script_the_page_says_so_and_nothing_else() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(1);
    browser.command("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.load(&server.url());
    // The accessibility tree, since no script can run here.
    let tree = browser.command("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().expect("there is a tree");
    let names: Vec<&str> = nodes
        .iter()
        .filter(|node| node["ignored"] == false)
        .filter_map(|node| node["name"]["value"].as_str())
        .collect();
    let told = names.join("\n");
    assert!(told.contains("This page needs JavaScript"), "{told}");
    for word in ["connecting", "Start", "Worker"] {
        assert!(!names.iter().any(|name| name.contains(word)), "{told}");
    }
}
