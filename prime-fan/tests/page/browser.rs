//! A browser, controlled by the WebDriver protocol.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::panicking;

use serde_json::{Value, json};

use crate::chromedriver::{ChromeDriver, programs};
use crate::http::ask;
use crate::patience::until;

/// Arguments to run as root, without a display and without background requests.
const FLAGS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// One browser at a time: each has several busy processes, and some tests measure time.
static TURN: Mutex<()> = Mutex::new(());

/// What WebDriver calls the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A headless Chromium with a profile of its own, which ChromeDriver creates and removes. It is closed when this is
/// dropped.
pub(crate) struct Browser {
    session: String,
    driver: ChromeDriver,
    // Dropped after the driver, so that the next browser starts when this one has ended.
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts a browser; `None` if there is no Chromium.
    pub(crate) fn start() -> Option<Self> {
        let (chromium, chromedriver) = programs()?;
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let driver = ChromeDriver::start(&chromedriver);
        let session = open(driver.address, &chromium);
        Some(Self { session, driver, _turn: turn })
    }

    /// Loads a page and waits until it is loaded.
    pub(crate) fn load(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    /// Runs the body of a JavaScript function, and returns its result.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        match self.run(&format!("return document.querySelector({selector:?}).textContent")) {
            Value::String(text) => text,
            other => panic!("the text of {selector} is {other}"),
        }
    }

    /// Returns the texts of all elements that match a selector.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let script =
            format!("return [...document.querySelectorAll({selector:?})].map(it => it.firstChild.textContent)");
        serde_json::from_value(self.run(&script)).expect("they are texts")
    }

    /// Scrolls to an element and clicks at its position. Fails if another element covers it.
    pub(crate) fn click(&self, selector: &str) {
        self.run(&format!("document.querySelector({selector:?}).scrollIntoView({{ block: 'center' }})"));
        let found = self.post("/element", json!({ "using": "css selector", "value": selector }));
        let element = found[ELEMENT].as_str().expect("an element has an id");
        self.post(&format!("/element/{element}/click"), json!({}));
    }

    /// Moves a slider to a position.
    pub(crate) fn slide(&self, selector: &str, position: u32) {
        self.run(&format!(
            "const slider = document.querySelector({selector:?}); slider.value = {position};
            slider.dispatchEvent(new Event('input', {{ bubbles: true }}))"
        ));
    }

    /// Presses a key in the focused element.
    pub(crate) fn press(&self, key: &str) {
        let actions = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.post("/actions", json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] }));
    }

    /// Returns the current tab.
    pub(crate) fn tab(&self) -> Value {
        self.send("GET", "/window", None)
    }

    /// Opens a tab and makes it the current one.
    pub(crate) fn open_tab(&self) -> Value {
        let tab = self.post("/window/new", json!({ "type": "tab" }))["handle"].take();
        self.look_at(&tab);
        tab
    }

    pub(crate) fn look_at(&self, tab: &Value) {
        self.post("/window", json!({ "handle": tab }));
    }

    /// Closes the tab and leaves the browser open.
    pub(crate) fn close_tab(&self) {
        let other = self.post("/window/new", json!({ "type": "tab" }));
        self.send("DELETE", "/window", None);
        self.post("/window", json!({ "handle": other["handle"] }));
    }

    /// Sends a command of the DevTools protocol, and returns its result.
    pub(crate) fn command(&self, name: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": name, "params": parameters }))
    }

    /// Makes the screen this large: that of a phone, if it is narrow.
    pub(crate) fn screen(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 800 });
        self.command("Emulation.setDeviceMetricsOverride", size);
    }

    /// Waits until the state that the page shows begins with these words.
    pub(crate) fn until_state(&self, words: &str) {
        until(&format!("the page says {words}"), || self.text("#state-text").starts_with(words).then_some(()));
    }

    /// Returns the messages of the console.
    pub(crate) fn console(&self) -> Vec<Value> {
        self.log("browser")
    }

    /// Returns the URLs of all requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        let message = |entry: Value| -> Value {
            serde_json::from_str(entry["message"].as_str().expect("a message is text")).expect("and JSON")
        };
        self.log("performance")
            .into_iter()
            .map(|entry| message(entry)["message"].take())
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .map(|event| event["params"]["request"]["url"].as_str().expect("a request has an address").to_owned())
            .collect()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        match self.post("/se/log", json!({ "type": kind })) {
            Value::Array(entries) => entries,
            other => panic!("the log {kind} is {other}"),
        }
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.send("POST", path, Some(&body))
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let path = format!("/session/{}{path}", self.session);
        let (status, mut answer) = ask(self.driver.address, method, &path, body).expect("ChromeDriver answers");
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer["value"].take()
    }
}

/// Opens a session and returns its id.
fn open(driver: SocketAddr, chromium: &Path) -> String {
    let wanted = json!({
        "goog:chromeOptions": { "binary": chromium, "args": FLAGS },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    });
    let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
    let (status, answer) = ask(driver, "POST", "/session", Some(&wanted)).expect("ChromeDriver answers");
    assert_eq!(status, 200, "no session: {answer}");
    answer["value"]["sessionId"].as_str().expect("a session has an id").to_owned()
}

impl Drop for Browser {
    fn drop(&mut self) {
        if panicking() {
            let page = json!({ "script": "return document.body.innerText", "args": [] });
            let page =
                ask(self.driver.address, "POST", &format!("/session/{}/execute/sync", self.session), Some(&page));
            eprintln!("the page says {page:?}");
        }
        // Ends the browser. An error here is no failure of the test.
        let _ = ask(self.driver.address, "DELETE", &format!("/session/{}", self.session), None);
    }
}
