//! A server that serves the page, and whose other answers a test sets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::spawn;

use serde_json::{Value, json};

const HTML: &str = "text/html";
const JS: &str = "text/javascript";

const FILES: [(&str, &str, &str); 23] = [
    ("/", HTML, include_str!("../../examples/page/static/page.html")),
    ("/page.css", "text/css", include_str!("../../examples/page/static/page.css")),
    ("/trends.css", "text/css", include_str!("../../examples/page/static/trends.css")),
    ("/searches.css", "text/css", include_str!("../../examples/page/static/searches.css")),
    ("/summary.css", "text/css", include_str!("../../examples/page/static/summary.css")),
    ("/failures.css", "text/css", include_str!("../../examples/page/static/failures.css")),
    ("/observed.css", "text/css", include_str!("../../examples/page/static/observed.css")),
    ("/landscape.css", "text/css", include_str!("../../examples/page/static/landscape.css")),
    ("/nodes.css", "text/css", include_str!("../../examples/page/static/nodes.css")),
    ("/page.js", JS, include_str!("../../examples/page/static/page.js")),
    ("/dom.js", JS, include_str!("../../examples/page/static/dom.js")),
    ("/stream.js", JS, include_str!("../../examples/page/static/stream.js")),
    ("/figures.js", JS, include_str!("../../examples/page/static/figures.js")),
    ("/fan.js", JS, include_str!("../../examples/page/static/fan.js")),
    ("/list.js", JS, include_str!("../../examples/page/static/list.js")),
    ("/check.js", JS, include_str!("../../examples/page/static/check.js")),
    ("/trends.js", JS, include_str!("../../examples/page/static/trends.js")),
    ("/searches.js", JS, include_str!("../../examples/page/static/searches.js")),
    ("/settings.js", JS, include_str!("../../examples/page/static/settings.js")),
    ("/observed.js", JS, include_str!("../../examples/page/static/observed.js")),
    ("/summary.js", JS, include_str!("../../examples/page/static/summary.js")),
    ("/failures.js", JS, include_str!("../../examples/page/static/failures.js")),
    ("/nodes.js", JS, include_str!("../../examples/page/static/nodes.js")),
];

/// The server. Its connections are closed when it is dropped.
pub(crate) struct Scripted {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

struct Script {
    pipelines: Value,
    /// True if nodes do the searches.
    remote: bool,
    /// The answer to `/primes`: the status and the text of an error, or `None` for an open stream.
    refusal: Option<(u16, String)>,
    /// The paths of all requests.
    asked: Vec<String>,
    /// The open streams of `/primes`.
    streams: Vec<TcpStream>,
    /// The requests to stop, which are not answered yet.
    stops: Vec<TcpStream>,
}

impl Scripted {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let script = Arc::new(Mutex::new(Script {
            pipelines: json!([]),
            remote: false,
            refusal: None,
            asked: Vec::new(),
            streams: Vec::new(),
            stops: Vec::new(),
        }));
        let shared = Arc::downgrade(&script);
        spawn(move || {
            for stream in listener.incoming() {
                let Some(script) = shared.upgrade() else { return };
                // A browser opens connections before it has a request.
                spawn(move || stream.ok().and_then(|stream| serve(stream, &script)));
            }
        });
        Self { address, script }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Sets the answer to `/stats`; with `null`, it fails.
    pub(crate) fn pipelines(&self, pipelines: Value) {
        self.with(|script| script.pipelines = pipelines);
    }

    /// From now on nodes do the searches.
    pub(crate) fn has_nodes(&self) {
        self.with(|script| script.remote = true);
    }

    /// Sets the answer to `/primes`.
    pub(crate) fn refuse(&self, refusal: Option<(u16, &str)>) {
        self.with(|script| script.refusal = refusal.map(|(status, text)| (status, text.to_owned())));
    }

    /// Returns the number of requests for a path.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.with(|script| script.asked.iter().filter(|asked| asked.as_str() == path).count())
    }

    /// Writes to the stream that was opened last.
    pub(crate) fn send(&self, text: &str) {
        self.with(|script| {
            let stream = script.streams.last_mut().expect("a stream is open");
            stream.write_all(text.as_bytes()).expect("the page reads");
        });
    }

    /// Ends the streams.
    pub(crate) fn cut(&self) {
        self.with(|script| script.streams.clear());
    }

    /// Answers the requests to stop.
    pub(crate) fn answer_stops(&self, body: &Value) {
        for mut stream in self.with(|script| std::mem::take(&mut script.stops)) {
            answer(&mut stream, 200, "application/json", &body.to_string()).expect("the page waits");
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Script) -> T) -> T {
        act(&mut self.script.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.with(|script| {
            script.streams.clear();
            script.stops.clear();
        });
    }
}

/// A pipeline in the answer to `/stats`.
pub(crate) fn pipeline(id: u64, end: Option<&str>) -> Value {
    json!({
        "id": id, "search": { "bits": 40, "finder": "fast", "pace": 5 }, "ended": end.is_some(), "end": end,
        "taken": 100, "completed": 90, "failed": 0, "skipped": 0, "in_flight": 10, "emitted": 5, "batch_size": 1,
        "elapsed_seconds": 1.0, "limit": 64, "workers": [{ "busy_seconds": 0.5, "items": 90, "batches": 90 }],
    })
}

/// Handles a connection; `None` if it is closed without a request.
fn serve(mut stream: TcpStream, script: &Mutex<Script>) -> Option<()> {
    let path = request(&stream)?;
    if let Some((_, kind, text)) = FILES.iter().find(|(file, ..)| *file == path) {
        return answer(&mut stream, 200, kind, text);
    }
    let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
    script.asked.push(path.clone());
    match path.as_str() {
        "/stats" => {
            if script.pipelines.is_null() {
                return answer(&mut stream, 500, "text/plain", "");
            }
            let stats =
                json!({ "workers": u8::from(!script.remote), "remote": script.remote, "pipelines": script.pipelines });
            answer(&mut stream, 200, "application/json", &stats.to_string())
        }
        "/primes" => match &script.refusal {
            Some((status, text)) => answer(&mut stream, *status, "text/plain", text),
            None => {
                let head = "HTTP/1.1 200 Scripted\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
                stream.write_all(head.as_bytes()).ok()?;
                script.streams.push(stream);
                Some(())
            }
        },
        path if path.ends_with("/stop") => {
            script.stops.push(stream);
            Some(())
        }
        _ => answer(&mut stream, 404, "text/plain", "no such page"),
    }
}

/// Reads a request, and returns its path without the query.
fn request(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.split('?').next()?.to_owned();
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    lines.read_exact(&mut vec![0; length]).ok()?;
    Some(path)
}

fn answer(stream: &mut TcpStream, status: u16, kind: &str, body: &str) -> Option<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Scripted\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .ok()
}
