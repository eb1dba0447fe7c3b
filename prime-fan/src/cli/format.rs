//! What a number looks like in the output.

use std::path::Path;

use clap::ValueEnum;

use crate::Verdict;

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One number per line
    #[default]
    Text,
    /// One object per line: {"number":"97","index":3,"verdict":"prime"}
    Json,
    /// A header, then number,index,verdict per line
    Csv,
}

/// A number, or a pair of twins, that is put out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// Its digits.
    pub(crate) number: &'a [u8],
    pub(crate) twin: Option<&'a [u8]>,
    /// Its place among the numbers that are tested, from 0.
    pub(crate) index: u64,
    pub(crate) verdict: Verdict,
    pub(crate) place: Option<Place<'a>>,
}

/// Where a number was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// As [`Layout::file_name`] writes it.
    pub(crate) file: &'a [u8],
    /// From 1.
    pub(crate) line: u64,
}

/// How records are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    /// Numbers as text get their verdict beside them.
    pub(crate) annotate: bool,
    /// Records are pairs.
    pub(crate) twins: bool,
    /// Records have the places where their numbers were read.
    pub(crate) location: bool,
}

impl Layout {
    pub(crate) fn plain(format: Format) -> Self {
        Self { format, annotate: false, twins: false, location: false }
    }

    /// The line above all others.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self { format: Format::Text | Format::Json, .. } => "",
            Self { twins: true, .. } => "number,twin,index,verdict\n",
            Self { location: true, .. } => "number,index,verdict,file,line\n",
            _ => "number,index,verdict\n",
        }
    }

    /// What a file is called in a record; None is the standard input.
    pub(crate) fn file_name(self, file: Option<&Path>) -> Vec<u8> {
        let Some(file) = file else { return b"-".to_vec() };
        match self.format {
            // The very name, whatever characters it has.
            Format::Text => file.as_os_str().as_encoded_bytes().to_vec(),
            Format::Json => json(&file.to_string_lossy()).into_bytes(),
            Format::Csv => csv(&file.to_string_lossy()).into_bytes(),
        }
    }

    /// The most bytes of a line of numbers with so many digits.
    pub(crate) fn line_bytes(self, digits: usize) -> usize {
        let number = if self.twins { 2 * (digits + 1) } else { digits + 1 };
        match self.format {
            Format::Text => number,
            Format::Json => number + digits + "{'number':'','twin':'','index':,'verdict':'prime'}".len(),
            Format::Csv => number + digits + ",prime\n".len(),
        }
    }

    /// Adds a line.
    #[inline]
    pub(crate) fn write(self, record: Record<'_>, lines: &mut Vec<u8>) {
        let Record { number, twin, index, verdict, place } = record;
        match self.format {
            Format::Text => {
                if let Some(Place { file, line }) = place {
                    lines.extend_from_slice(file);
                    lines.push(b':');
                    lines.extend_from_slice(itoa::Buffer::new().format(line).as_bytes());
                    lines.push(b':');
                }
                lines.extend_from_slice(number);
                if let Some(twin) = twin {
                    lines.push(b' ');
                    lines.extend_from_slice(twin);
                }
                if self.annotate {
                    lines.push(b' ');
                    lines.extend_from_slice(verdict.name().as_bytes());
                }
            }
            Format::Json => {
                lines.extend_from_slice(b"{\"number\":\"");
                lines.extend_from_slice(number);
                if let Some(twin) = twin {
                    lines.extend_from_slice(b"\",\"twin\":\"");
                    lines.extend_from_slice(twin);
                }
                lines.extend_from_slice(b"\",\"index\":");
                lines.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
                lines.extend_from_slice(b",\"verdict\":\"");
                lines.extend_from_slice(verdict.name().as_bytes());
                lines.push(b'"');
                if let Some(Place { file, line }) = place {
                    lines.extend_from_slice(b",\"file\":\"");
                    lines.extend_from_slice(file);
                    lines.extend_from_slice(b"\",\"line\":");
                    lines.extend_from_slice(itoa::Buffer::new().format(line).as_bytes());
                }
                lines.push(b'}');
            }
            Format::Csv => {
                for field in [Some(number), twin].into_iter().flatten() {
                    lines.extend_from_slice(field);
                    lines.push(b',');
                }
                lines.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
                lines.push(b',');
                lines.extend_from_slice(verdict.name().as_bytes());
                if let Some(Place { file, line }) = place {
                    lines.push(b',');
                    lines.extend_from_slice(file);
                    lines.push(b',');
                    lines.extend_from_slice(itoa::Buffer::new().format(line).as_bytes());
                }
            }
        }
        lines.push(b'\n');
    }

    /// The line that tells how many there are, instead of naming them.
    pub(crate) fn count(self, found: u64) -> String {
        match self.format {
            Format::Text => format!("{found}\n"),
            Format::Json => format!("{{\"count\":{found}}}\n"),
            Format::Csv => format!("count\n{found}\n"),
        }
    }
}

/// What stands between the quotation marks of a string.
pub(crate) fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            '\0'..='\u{1f}' => escaped += &format!("\\u{:04x}", u32::from(character)),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A field, in quotation marks where it needs them.
fn csv(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(layout: Layout, twin: Option<&[u8]>) -> String {
        let name = layout.file_name(Some(Path::new("a \"b\",\\\n")));
        let place = layout.location.then_some(Place { file: &name, line: 12 });
        let mut lines = Vec::new();
        layout.write(Record { number: b"11", twin, index: 4, verdict: Verdict::Prime, place }, &mut lines);
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn each_format_has_its_line() {
        let plain = Layout::plain;
        assert_eq!(line(plain(Format::Text), None), "11\n");
        assert_eq!(line(Layout { annotate: true, ..plain(Format::Text) }, None), "11 prime\n");
        assert_eq!(line(plain(Format::Json), None), "{\"number\":\"11\",\"index\":4,\"verdict\":\"prime\"}\n");
        assert_eq!(line(plain(Format::Csv), None), "11,4,prime\n");
    }

    #[test]
    fn twins_stand_beside_each_other() {
        let twins = |format| line(Layout { twins: true, ..Layout::plain(format) }, Some(b"13"));
        assert_eq!(twins(Format::Text), "11 13\n");
        assert_eq!(twins(Format::Json), "{\"number\":\"11\",\"twin\":\"13\",\"index\":4,\"verdict\":\"prime\"}\n");
        assert_eq!(twins(Format::Csv), "11,13,4,prime\n");
    }

    #[test]
    fn a_place_is_a_file_by_any_name_and_a_line() {
        let located = |format| line(Layout { location: true, ..Layout::plain(format) }, None);
        assert_eq!(located(Format::Text), "a \"b\",\\\n:12:11\n");
        assert_eq!(
            located(Format::Json),
            "{\"number\":\"11\",\"index\":4,\"verdict\":\"prime\",\"file\":\"a \\\"b\\\",\\\\\\u000a\",\"line\":12}\n"
        );
        assert_eq!(located(Format::Csv), "11,4,prime,\"a \"\"b\"\",\\\n\",12\n");
        assert_eq!(Layout::plain(Format::Json).file_name(None), b"-");
    }

    #[test]
    fn the_header_names_the_columns_of_the_lines_below() {
        let columns = |line: &str| line.trim_end().split(',').count();
        for twins in [false, true] {
            let layout = Layout { twins, ..Layout::plain(Format::Csv) };
            assert_eq!(columns(layout.header()), columns(&line(layout, twins.then_some(b"13"))));
        }
        let layout = Layout { location: true, ..Layout::plain(Format::Csv) };
        // The file's name has a comma.
        assert_eq!(columns(layout.header()) + 1, columns(&line(layout, None)));
    }
}
