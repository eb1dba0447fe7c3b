//! The programs, and ChromeDriver as a process.

use std::env;
use std::io::{BufRead, BufReader, Write, stderr};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::patience::until;

/// The two programs, or `None` after saying what is missing. One that the environment names must be there.
pub(crate) fn programs() -> Option<(PathBuf, PathBuf)> {
    let chromium = program("CHROMIUM", &["chromium", "chromium-browser", "google-chrome"])?;
    let chromedriver = program("CHROMEDRIVER", &["chromedriver"])?;
    Some((chromium, chromedriver))
}

fn program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    let named = env::var(variable);
    let path = env::var_os("PATH").unwrap_or_default();
    // A whole path stays what it is, whatever it is joined to.
    let find = |name: &str| env::split_paths(&path).map(|dir| dir.join(name)).find(|program| program.is_file());
    let found = match &named {
        Ok(name) => find(name),
        Err(_) => names.iter().find_map(|name| find(name)),
    };
    if let (Ok(name), None) = (&named, &found) {
        panic!("{variable} is {name}, which is not there");
    }
    if found.is_none() {
        // Not by a macro: what those print is not shown of a test that passes.
        let note = format!("skipped: no {} on the PATH, and no {variable} in the environment\n", names[0]);
        stderr().write_all(note.as_bytes()).expect("there is a standard error");
    }
    found
}

/// It is killed when a test gives it up, with what it started: browsers are in its process group.
pub(crate) struct ChromeDriver {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl ChromeDriver {
    pub(crate) fn start(program: PathBuf) -> Self {
        let mut child = Command::new(program)
            .arg("--port=0")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ChromeDriver starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let port = until("ChromeDriver tells its port", || {
            let line = lines.next().expect("ChromeDriver goes on").expect("it is text");
            line.strip_prefix("ChromeDriver was started successfully on port ")?.trim_end_matches('.').parse().ok()
        });
        Self { child, address: (Ipv4Addr::LOCALHOST, port).into() }
    }
}

impl Drop for ChromeDriver {
    fn drop(&mut self) {
        // Errors are that they have ended by themselves.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
