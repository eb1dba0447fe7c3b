//! The text of Server-Sent Events.

use std::any::Any;
use std::io;
use std::time::Duration;

use super::body::Format;
use super::ending::Ending;
use super::failure::{Counts, Failures};
use super::write;
use crate::error::ItemError;
use crate::util::panic::catch;

/// A closure of the application that makes a name or an `id` of a result. It returns `None` for a value of another
/// type, which does not occur.
pub(super) type Label = Box<dyn FnMut(&dyn Any) -> Option<String>>;

/// The format of Server-Sent Events.
pub(super) struct Messages<W> {
    write: W,
    pub(super) failures: Failures,
    pub(super) opening: Vec<u8>,
    pub(super) retry: Option<Duration>,
    pub(super) name: Option<&'static str>,
    pub(super) name_by: Option<Label>,
    pub(super) first_id: u64,
    pub(super) id_by: Option<Label>,
    /// The data of one event, before it is split into lines. Kept to reuse its memory.
    data: Vec<u8>,
}

impl<W> Messages<W> {
    pub(super) fn new(write: W) -> Self {
        Self {
            write,
            failures: Failures::default(),
            opening: Vec::new(),
            retry: None,
            name: None,
            name_by: None,
            first_id: 0,
            id_by: None,
            data: Vec::new(),
        }
    }

    fn id(&self, number: u64) -> Option<String> {
        self.id_by.is_none().then(|| self.first_id.saturating_add(number).to_string())
    }

    fn fail(&mut self, number: u64, chunk: &mut Vec<u8>) {
        event(Some("failure"), self.id(number).as_deref(), &self.data, chunk);
    }
}

impl<T, W> Format<T> for Messages<W>
where
    T: 'static,
    W: FnMut(&T, &mut Vec<u8>) -> io::Result<()>,
{
    fn begin(&mut self, chunk: &mut Vec<u8>) {
        if let Some(wait) = self.retry {
            field("retry", wait.as_millis().to_string().as_bytes(), chunk);
            chunk.push(b'\n');
        }
        chunk.append(&mut self.opening);
    }

    fn value(&mut self, value: &T, number: u64, chunk: &mut Vec<u8>) -> bool {
        self.data.clear();
        let written = write::append(&mut self.write, value, &mut self.data).and_then(|_| {
            let name = label(&mut self.name_by, value, "name")?;
            let id = label(&mut self.id_by, value, "id")?;
            Ok((name, id.or_else(|| self.id(number))))
        });
        match &written {
            Ok((name, id)) => event(name.as_deref().or(self.name), id.as_deref(), &self.data, chunk),
            Err(error) => {
                self.data.clear();
                self.failures.unwritten(number, error, &mut self.data);
                self.fail(number, chunk);
            }
        }
        written.is_ok()
    }

    fn failure(&mut self, error: &ItemError, number: u64, chunk: &mut Vec<u8>) {
        self.data.clear();
        self.failures.item(error, &mut self.data);
        self.fail(number, chunk);
    }

    fn end(&mut self, ending: &Ending, counts: Counts, chunk: &mut Vec<u8>) {
        self.data.clear();
        self.failures.end(ending, counts, &mut self.data);
        event(Some("end"), None, &self.data, chunk);
    }

    fn heartbeat(&self) -> &'static [u8] {
        b":\n\n"
    }

    fn failures(&mut self) -> &mut Failures {
        &mut self.failures
    }
}

/// The text that `by` makes of a value. An error if `by` panics, or the text has a line break or a NUL.
fn label(by: &mut Option<Label>, value: &dyn Any, what: &str) -> io::Result<Option<String>> {
    let Some(by) = by else { return Ok(None) };
    let text = catch(|| by(value)).map_err(io::Error::other)?;
    match text {
        Some(text) if !is_one_line(&text) || text.contains('\0') => {
            Err(io::Error::other(format!("its {what} {text:?} has a line break or a NUL")))
        }
        text => Ok(text),
    }
}

/// Appends an event. Each line of the data is a field; lines end with CR, LF or CR LF.
pub(super) fn event(name: Option<&str>, id: Option<&str>, data: &[u8], out: &mut Vec<u8>) {
    if let Some(name) = name {
        field("event", name.as_bytes(), out);
    }
    if let Some(id) = id {
        field("id", id.as_bytes(), out);
    }
    let mut rest = data;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        field("data", &rest[..end], out);
        let both = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + if both { 2 } else { 1 }..];
    }
    field("data", rest, out);
    out.push(b'\n');
}

fn field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Returns true if there is no line break in the text.
pub(super) fn is_one_line(text: &str) -> bool {
    !text.contains(['\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(data: &str) -> String {
        let mut out = Vec::new();
        event(None, None, data.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_line_of_the_data_has_a_field_of_its_own() {
        assert_eq!(written(""), "data: \n\n");
        assert_eq!(written("one"), "data: one\n\n");
        assert_eq!(written("one\ntwo\r\nthree\rfour"), "data: one\ndata: two\ndata: three\ndata: four\n\n");
        assert_eq!(written("\n\r\n"), "data: \ndata: \ndata: \n\n");
        assert_eq!(written("event: forged\n\nid: 1"), "data: event: forged\ndata: \ndata: id: 1\n\n");
    }
}
