//! The command line of the server of the page, without a browser.

use std::net::{Ipv4Addr, TcpListener};

use crate::server::{Server, command};

/// Runs the server; returns its exit code, standard output and standard error.
fn run(args: &[&str], port: Option<&str>) -> (Option<i32>, String, String) {
    let mut command = command();
    command.args(args).env_remove("PORT");
    if let Some(port) = port {
        command.env("PORT", port);
    }
    let output = command.output().expect("`cargo build --example page` makes it");
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_wrong_argument_is_told_with_its_value_and_what_is_right() {
    let workers = "must be a whole number from 1 to 1024";
    let port = "must be a whole number from 0 to 65535";
    for (args, error) in [
        (&["--workers", "0"][..], format!("--workers 0: {workers}")),
        (&["--workers=0"], format!("--workers 0: {workers}")),
        (&["--workers", "1025"], format!("--workers 1025: {workers}")),
        (&["--workers", "many"], format!("--workers many: {workers}")),
        (&["--workers", ""], format!("--workers : {workers}")),
        (&["--port", "65536"], format!("--port 65536: {port}")),
        (&["--port", "-1"], format!("--port -1: {port}")),
        (&["--shutdown-timeout", "1.5"], "--shutdown-timeout 1.5: must be a whole number from 0 to 3600".into()),
        (&["--workers"], "--workers: a number must follow".into()),
        (&["--host"], "--host: an address must follow".into()),
        (&["--verbose"], "--verbose: no such option".into()),
        (&["8080"], "8080: no such option".into()),
    ] {
        assert_eq!(run(args, None), (Some(2), String::new(), format!("error: {error}\nTry --help.\n")), "{args:?}");
    }
    let (code, _, stderr) = run(&[], Some("http"));
    assert_eq!((code, stderr), (Some(2), format!("error: PORT (environment) http: {port}\nTry --help.\n")));
}

#[test]
fn the_help_names_every_option() {
    for flag in ["--help", "-h"] {
        let (code, stdout, stderr) = run(&["--workers", "2", flag], None);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        for option in ["--host", "--port", "--workers", "--nats", "--shutdown-timeout", "--help", "SIGTERM"] {
            assert!(stdout.contains(option), "{option} in {stdout}");
        }
    }
}

#[test]
fn it_listens_where_it_is_told_to_or_says_why_not() {
    let server = Server::with(&["--host", "0.0.0.0", "--port=0", "--workers", "1"]);
    assert!(server.address().ip().is_unspecified());

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let (code, stdout, stderr) = run(&["--port", &port], None);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with(&format!("error: --host 127.0.0.1 --port {port}: ")), "{stderr}");
    assert!(stderr.ends_with("; try another address, another port, or port 0, which chooses a free one\n"), "{stderr}");

    // An address that no machine has: it is reserved for documentation.
    let (code, _, stderr) = run(&["--host", "192.0.2.1", "--port", "0"], None);
    assert!(code == Some(1) && stderr.starts_with("error: --host 192.0.2.1 --port 0: "), "{stderr}");
}

/// Without the message, the port would not be known.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_takes_nothing_ends_it_with_its_error() {
    let full = std::fs::File::create("/dev/full").expect("Linux has it");
    let output = command().args(["--port", "0"]).stdout(full).output().expect("it is built");
    let stderr = String::from_utf8(output.stderr).expect("it is text");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("error: standard output: No space left on device"), "{stderr}");
}
