//! The output formats: text, JSON and CSV.

use std::path::Path;

use clap::ValueEnum;

use crate::Verdict;

/// The format of the output.
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

/// A result: a number, a pair of twins, or a tuplet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// Its digits, as they are to be printed.
    pub(crate) number: &'a [u8],
    /// The twin, or the other primes of a tuplet, separated as [`Layout::separator`] says.
    pub(crate) twin: Option<&'a [u8]>,
    /// Its index among the numbers that are tested, from 0.
    pub(crate) index: u64,
    pub(crate) verdict: Verdict,
    pub(crate) place: Option<Place<'a>>,
}

/// The place in the input where a number was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// As [`Layout::file_name`] writes it.
    pub(crate) file: &'a [u8],
    /// From 1.
    pub(crate) line: u64,
}

/// Which fields records have, and in which format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    /// True if numbers in text are followed by their verdict.
    pub(crate) annotate: bool,
    /// How many primes a record has: 2 are twins, more are a tuplet.
    pub(crate) size: usize,
    /// True if records have the place where the number was read.
    pub(crate) location: bool,
}

impl Layout {
    pub(crate) fn plain(format: Format) -> Self {
        Self { format, annotate: false, size: 1, location: false }
    }

    /// Returns true if a line has a number and nothing else.
    pub(crate) fn is_bare(self) -> bool {
        self.format == Format::Text && self.size == 1 && !self.annotate && !self.location
    }

    /// Returns the header of the output; empty unless the format is CSV.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self { format: Format::Text | Format::Json, .. } => "",
            Self { size: 2, .. } => "number,twin,index,verdict\n",
            Self { size: 3, .. } => "number,second,third,index,verdict\n",
            Self { size: 4, .. } => "number,second,third,fourth,index,verdict\n",
            Self { size: 5, .. } => "number,second,third,fourth,fifth,index,verdict\n",
            Self { size: 6, .. } => "number,second,third,fourth,fifth,sixth,index,verdict\n",
            Self { location: true, .. } => "number,index,verdict,file,line\n",
            _ => "number,index,verdict\n",
        }
    }

    /// Returns what separates the other primes of a tuplet.
    pub(crate) fn separator(self) -> &'static [u8] {
        match self.format {
            Format::Text => b" ",
            Format::Json => b"\",\"",
            Format::Csv => b",",
        }
    }

    /// Returns the name of a file for a record; `None` is the standard input.
    pub(crate) fn file_name(self, file: Option<&Path>) -> Vec<u8> {
        let Some(file) = file else { return b"-".to_vec() };
        match self.format {
            // The bytes of the name, even if they are not valid UTF-8.
            Format::Text => file.as_os_str().as_encoded_bytes().to_vec(),
            Format::Json => json(&file.to_string_lossy()).into_bytes(),
            Format::Csv => csv(&file.to_string_lossy()).into_bytes(),
        }
    }

    /// Returns the most bytes of a line whose numbers have `digits` digits.
    pub(crate) fn line_bytes(self, digits: usize) -> usize {
        let number = self.size * (digits + self.separator().len());
        match self.format {
            Format::Text => number,
            Format::Json => number + digits + "{'number':'','others':['],'index':,'verdict':'prime'}\n".len(),
            Format::Csv => number + digits + ",prime\n".len(),
        }
    }

    /// Appends a record to `lines`.
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
                    let name: &[u8] = if self.size > 2 { b"\",\"others\":[\"" } else { b"\",\"twin\":\"" };
                    lines.extend_from_slice(name);
                    lines.extend_from_slice(twin);
                }
                lines.extend_from_slice(if self.size > 2 { b"\"],\"index\":" } else { b"\",\"index\":" });
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

    /// Returns the output of `--count`, which has a name for each count if there are several.
    pub(crate) fn count(self, counts: &[(&str, u64)]) -> String {
        let &[(_, found)] = counts else {
            let join = |separator: &str, each: &dyn Fn(&(&str, u64)) -> String| {
                counts.iter().map(each).collect::<Vec<_>>().join(separator)
            };
            return match self.format {
                Format::Text => join("\n", &|(name, found)| format!("{name} {found}")) + "\n",
                Format::Json => format!("{{{}}}\n", join(",", &|(name, found)| format!("\"{name}\":{found}"))),
                Format::Csv => {
                    let row = join(",", &|(_, found)| found.to_string());
                    format!("{}\n{row}\n", join(",", &|(name, _)| (*name).to_owned()))
                }
            };
        };
        match self.format {
            Format::Text => format!("{found}\n"),
            Format::Json => format!("{{\"count\":{found}}}\n"),
            Format::Csv => format!("count\n{found}\n"),
        }
    }
}

/// Escapes text for a JSON string, without its quotation marks.
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

/// Returns a CSV field, in quotation marks if it needs them.
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
        let twins = |format| line(Layout { size: 2, ..Layout::plain(format) }, Some(b"13"));
        assert_eq!(twins(Format::Text), "11 13\n");
        assert_eq!(twins(Format::Json), "{\"number\":\"11\",\"twin\":\"13\",\"index\":4,\"verdict\":\"prime\"}\n");
        assert_eq!(twins(Format::Csv), "11,13,4,prime\n");
    }

    #[test]
    fn a_tuplet_stands_on_one_line() {
        let tuplet = |format| {
            let layout = Layout { size: 3, ..Layout::plain(format) };
            line(layout, Some(&[&b"13"[..], b"17"].join(layout.separator())))
        };
        assert_eq!(tuplet(Format::Text), "11 13 17\n");
        let json = "{\"number\":\"11\",\"others\":[\"13\",\"17\"],\"index\":4,\"verdict\":\"prime\"}\n";
        assert_eq!(tuplet(Format::Json), json);
        assert_eq!(tuplet(Format::Csv), "11,13,17,4,prime\n");
        for format in [Format::Text, Format::Json, Format::Csv] {
            assert!(tuplet(format).len() <= Layout { size: 3, ..Layout::plain(format) }.line_bytes(2));
        }
    }

    #[test]
    fn several_counts_have_names() {
        let count = |format| Layout::plain(format).count(&[("primes", 25), ("pairs", 8)]);
        assert_eq!(count(Format::Text), "primes 25\npairs 8\n");
        assert_eq!(count(Format::Json), "{\"primes\":25,\"pairs\":8}\n");
        assert_eq!(count(Format::Csv), "primes,pairs\n25,8\n");
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
        for size in 1..=6 {
            let layout = Layout { size, ..Layout::plain(Format::Csv) };
            let others = vec![&b"13"[..]; size - 1].join(layout.separator());
            assert_eq!(columns(layout.header()), columns(&line(layout, (size > 1).then_some(&others))));
        }
        let layout = Layout { location: true, ..Layout::plain(Format::Csv) };
        // The file's name has a comma.
        assert_eq!(columns(layout.header()) + 1, columns(&line(layout, None)));
    }
}
