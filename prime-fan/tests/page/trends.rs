//! The lines of the last minute, and their marks.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::patience::until;
use crate::scripted::{Scripted, pipeline};

/// Returns the drawings of a part in all four lines: `line`, or the marks of a kind.
fn drawn(browser: &Browser, part: &str) -> Vec<String> {
    let script =
        format!("return [...document.querySelectorAll('#trends .{part}')].map(it => it.getAttribute('d') ?? '')");
    serde_json::from_value(browser.run(&script)).expect("they are texts")
}

fn marks(browser: &Browser, kind: &str) -> usize {
    let each: Vec<usize> =
        drawn(browser, &format!("mark-{kind}")).iter().map(|path| path.matches('M').count()).collect();
    assert!(each.len() == 4 && each.iter().all(|marks| *marks == each[0]), "{each:?}");
    each[0]
}

fn points(browser: &Browser) -> usize {
    drawn(browser, "line")[0].matches(['M', 'L']).count()
}

/// Returns a pipeline that has run for so many seconds, with a number of failures.
fn at(seconds: f64, failed: u64, end: Option<&str>) -> Value {
    let mut pipeline = pipeline(3, end);
    pipeline["elapsed_seconds"] = json!(seconds);
    pipeline["failed"] = json!(failed);
    pipeline
}

#[test]
fn start_failures_and_stop_leave_a_mark_and_then_the_lines_stand_still() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    browser.load(&server.url());
    browser.until_state("ready");
    assert_eq!((points(&browser), marks(&browser, "start")), (0, 0));

    server.pipelines(json!([at(1.0, 0, None)]));
    until("the line grows", || (points(&browser) >= 3).then_some(()));
    assert_eq!((marks(&browser, "start"), marks(&browser, "failure"), marks(&browser, "stop")), (1, 0, 0));
    server.pipelines(json!([at(2.0, 2, None)]));
    until("the failures are marked", || (marks(&browser, "failure") == 1).then_some(()));
    server.pipelines(json!([at(3.0, 2, Some("stopped"))]));
    until("the stop is marked", || (marks(&browser, "stop") == 1).then_some(()));

    let line = drawn(&browser, "line");
    let before = server.asked("/stats");
    until("the page looks again", || (server.asked("/stats") >= before + 3).then_some(()));
    assert_eq!(drawn(&browser, "line"), line);
    assert_eq!((marks(&browser, "start"), marks(&browser, "failure")), (1, 1));

    let told = browser.run("return document.querySelector('[data-series=inFlight] svg').getAttribute('aria-label')");
    let told = told.as_str().expect("it is text");
    assert!(told.starts_with("In flight in the last 60 s: 10, peak 10; search 3 started "), "{told}");
    assert!(told.contains("; search 3 stopped "), "{told}");
    assert_eq!(browser.text("[data-series=inFlight] b"), "10");
}
