//! Requests to the server of the page, without a browser.

use serde_json::{Value, json};

use crate::http::ask_with;
use crate::server::Server;

/// Returns the status and the text of an answer.
fn answer(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    ask_with(server.address(), method, path, headers, body).expect("the server answers")
}

#[test]
fn what_makes_no_sense_is_refused_with_what_does() {
    let server = Server::start(1);
    for (path, text) in [
        ("/primes?pace=2000000000", "pace=2000000000: must be from 1 to 1000 primes per second, or 0 for no limit\n"),
        ("/primes?bits=1", "bits=1: must be from 2 to 64; no prime has fewer than 2 bits\n"),
        ("/primes?workers=2", "workers=2: must be from 1 to 1, or 0 for all\n"),
        ("/primes?window=1048577", "window=1048577: must be from 1 to 1048576, or 0 for one that suits the finder\n"),
        ("/primes?bits=65", "bits=65: must be from 2 to 64; no prime has fewer than 2 bits\n"),
    ] {
        assert_eq!(answer(&server, "GET", path, "", ""), (400, text.to_owned()));
    }
    assert_eq!(server.pipelines().len(), 0, "nothing was started");
    for (path, status, text) in [
        ("/searches/7/drain", 404, "there is no search 7\n"),
        ("/searches/7/settings?pace=1", 404, "there is no search 7\n"),
    ] {
        assert_eq!(answer(&server, "POST", path, "", ""), (status, text.to_owned()));
    }
}

#[test]
fn another_method_is_refused_as_such() {
    let server = Server::start(1);
    for (method, path) in [
        ("POST", "/"),
        ("POST", "/page.js"),
        ("GET", "/check"),
        ("POST", "/primes"),
        ("DELETE", "/stats"),
        ("GET", "/stop"),
        ("GET", "/searches/1/stop"),
        ("GET", "/searches/1/drain"),
        ("GET", "/searches/1/settings"),
        ("PUT", "/ping"),
    ] {
        assert_eq!(answer(&server, method, path, "", "").0, 405, "{method} {path}");
    }
    assert_eq!(answer(&server, "GET", "/nowhere", "", "").0, 404);
}

#[test]
fn the_page_of_another_site_changes_nothing() {
    let server = Server::start(1);
    let host = server.address();
    let status = |headers: &str, path| answer(&server, "POST", path, headers, "[]").0;
    for foreign in [
        "Origin: http://elsewhere.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        format!("Origin: http://{host}.elsewhere.example\r\n"),
        format!("Origin: http://{host}\r\nSec-Fetch-Site: cross-site\r\n"),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
    ] {
        for path in ["/stop", "/searches/1/stop", "/searches/1/drain", "/searches/1/settings?pace=1", "/check"] {
            assert_eq!(status(&foreign, path), 403, "{path} {foreign}");
        }
    }
    for own in [String::new(), format!("Origin: http://{host}\r\n"), "Sec-Fetch-Site: same-origin\r\n".to_owned()] {
        assert_eq!(status(&own, "/stop"), 200, "{own}");
    }
}

#[test]
fn no_more_of_a_list_is_read_than_a_request_may_need() {
    let server = Server::start(1);
    let check = |body: &str| answer(&server, "POST", "/check", "", body);
    let many = |count| format!("[{}1]", "1,".repeat(count));
    assert_eq!(check(&many(10_000)), (413, "more than 10000 numbers at once\n".to_owned()));
    // Parsing ends at the first number that is too many or wrong.
    assert_eq!(check(&format!("[{}{{{{", "1,".repeat(10_001))).0, 413);
    let (status, text) = check("[1,[[[[[[");
    assert!(
        status == 400 && text.contains("invalid type: sequence, expected a whole number from 0 to 2^128 - 1"),
        "{text}"
    );
    assert_eq!(check(&many(400_000)).0, 413, "a body that is too long");
}

#[test]
fn a_long_word_is_not_repeated_whole() {
    let server = Server::start(1);
    let word = "7".repeat(100_000);
    for body in [format!("[\"{word}\"]"), format!("[\"{word}x\"]"), format!("\"{word}\""), format!("[{word}]")] {
        let (status, text) = answer(&server, "POST", "/check", "", &body);
        assert!(status == 400 && text.len() < 250, "{status} {text}");
    }
    let (_, text) = answer(&server, "POST", "/check", "", r#"["12x"]"#);
    assert!(text.contains(r#""12x" is not a whole number from 0 to 2^128 - 1"#), "{text}");
}

#[test]
fn the_statistics_are_those_of_the_library_with_a_few_beside() {
    let server = Server::start(2);
    let (status, text) = answer(&server, "GET", "/stats", "", "");
    let stats: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((status, &stats["workers"]), (200, &json!(2)));
    assert_eq!(stats["streams"], json!({ "open": 0, "limit": 8, "refused": 0, "stalled": 0 }));
    let pool = stats["pool"].as_object().expect("there is a pool");
    assert_eq!((&pool["limit"], &pool["stopped"], &pool["end"]), (&json!(256), &json!(false), &Value::Null));
    for name in ["taken", "waiting", "elapsed_seconds", "mean_service_seconds"] {
        assert!(pool.contains_key(name), "{name} in {text}");
    }
    assert_eq!(
        pool["workers"][1],
        json!({ "busy_seconds": 0.0, "items": 0, "batches": 0, "rebuilt": 0, "current": null })
    );
}
