//! The requests of the page, and the messages in the console of the browser.

use crate::browser::Browser;
use crate::patience::until;
use crate::server::Server;

#[test]
fn the_page_asks_no_other_host_and_the_console_stays_empty() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    browser.load(&server.url());
    browser.until_state("ready");
    browser.click("#start");
    until("primes come", || (!browser.texts("#primes li").is_empty()).then_some(()));
    browser.click("#copy");
    browser.click("#check-button");
    until("there are verdicts", || (browser.texts("#verdicts li").len() == 4).then_some(()));
    assert_eq!(browser.texts("#verdicts .prime"), ["97", "1000000007", "18446744073709551557"]);
    browser.click("#stop");
    browser.until_state("stopped in ");

    assert!(browser.console().is_empty(), "{:?}", browser.console());
    let requests = browser.requests();
    for part in ["", "page.css", "page.js", "stats", "check", "searches/1/stop"] {
        let url = server.url() + part;
        assert!(requests.contains(&url), "{url} in {requests:?}");
    }
    for url in requests {
        assert!(url.starts_with(&server.url()) || url.starts_with("data:"), "{url}");
    }
}
