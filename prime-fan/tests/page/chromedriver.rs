//! Finds Chromium and ChromeDriver, and runs ChromeDriver.

use std::env;
use std::io::{BufRead, BufReader, Write, stderr};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Returns the paths of both programs, or prints which is missing and returns `None`. A program that the environment
/// names must exist.
pub(crate) fn programs() -> Option<(PathBuf, PathBuf)> {
    let chromium = program("CHROMIUM", &["chromium", "chromium-browser", "google-chrome"])?;
    let chromedriver = program("CHROMEDRIVER", &["chromedriver"])?;
    Some((chromium, chromedriver))
}

fn program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    let named = env::var(variable);
    let path = env::var_os("PATH").unwrap_or_default();
    // An absolute path stays as it is when it is joined to another.
    let find = |name: &str| env::split_paths(&path).map(|dir| dir.join(name)).find(|program| program.is_file());
    let found = match &named {
        Ok(name) => find(name),
        Err(_) => names.iter().find_map(|name| find(name)),
    };
    if let (Ok(name), None) = (&named, &found) {
        panic!("{variable} is {name}, which is not there");
    }
    if found.is_none() {
        // Not with a macro: the test harness captures their output if the test passes.
        let note = format!("skipped: no {} on the PATH, and no {variable} in the environment\n", names[0]);
        stderr().write_all(note.as_bytes()).expect("there is a standard error");
    }
    found
}

/// Runs ChromeDriver. When this is dropped, it is killed with its process group, which has the browsers.
pub(crate) struct ChromeDriver {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// How often it is started at most.
const STARTS: usize = 10;

impl ChromeDriver {
    /// It takes a free port of IPv4, and ends if the same port of IPv6 is in use by then. So it is started again.
    pub(crate) fn start(program: &Path) -> Self {
        let started = (0..STARTS).find_map(|_| Self::start_once(program));
        started.unwrap_or_else(|| panic!("{} has ended at once, {STARTS} times", program.display()))
    }

    /// `None` if it has ended without a port.
    fn start_once(program: &Path) -> Option<Self> {
        let mut child = Command::new(program)
            .arg("--port=0")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ChromeDriver starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut driver = Self { child, address: (Ipv4Addr::LOCALHOST, 0).into() };
        let port = lines.map_while(Result::ok).find_map(|line| {
            line.strip_prefix("ChromeDriver was started successfully on port ")?.trim_end_matches('.').parse().ok()
        })?;
        driver.address.set_port(port);
        Some(driver)
    }
}

impl Drop for ChromeDriver {
    fn drop(&mut self) {
        // Fails if they have ended already.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
