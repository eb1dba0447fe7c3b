//! What a number looks like in the output.

use clap::ValueEnum;

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A number a line
    #[default]
    Text,
    /// An object a line: {"number":"97","index":3,"verdict":"prime"}
    Json,
    /// number,index,verdict under a line that says so
    Csv,
}

/// What was found out about a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Prime,
    /// It passed a test that no composite is known to pass, and that isn't proven.
    ProbablePrime,
    Composite,
    /// 0 and 1.
    Neither,
}

impl Verdict {
    pub(crate) fn is_prime(self) -> bool {
        matches!(self, Self::Prime | Self::ProbablePrime)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Prime => "prime",
            Self::ProbablePrime => "probable-prime",
            Self::Composite => "composite",
            Self::Neither => "neither",
        }
    }
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
}

/// How records are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    /// Numbers as text get their verdict beside them.
    pub(crate) annotate: bool,
    /// Records are pairs.
    pub(crate) twins: bool,
}

impl Layout {
    pub(crate) fn plain(format: Format) -> Self {
        Self { format, annotate: false, twins: false }
    }

    /// The line above all others.
    pub(crate) fn header(self) -> &'static str {
        match (self.format, self.twins) {
            (Format::Csv, false) => "number,index,verdict\n",
            (Format::Csv, true) => "number,twin,index,verdict\n",
            (Format::Text | Format::Json, _) => "",
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

    /// How many times as long its lines are as those of plain text, about.
    pub(crate) fn parts(self) -> u64 {
        match self.format {
            Format::Text => 1,
            Format::Json => 6,
            Format::Csv => 3,
        }
    }

    /// Adds a line.
    #[inline]
    pub(crate) fn write(self, record: Record<'_>, lines: &mut Vec<u8>) {
        let Record { number, twin, index, verdict } = record;
        match self.format {
            Format::Text => {
                lines.extend_from_slice(number);
                if let Some(twin) = twin {
                    lines.push(b' ');
                    lines.extend_from_slice(twin);
                }
                if self.annotate {
                    lines.push(b' ');
                    lines.extend_from_slice(verdict.word().as_bytes());
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
                lines.extend_from_slice(verdict.word().as_bytes());
                lines.extend_from_slice(b"\"}");
            }
            Format::Csv => {
                for field in [Some(number), twin].into_iter().flatten() {
                    lines.extend_from_slice(field);
                    lines.push(b',');
                }
                lines.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
                lines.push(b',');
                lines.extend_from_slice(verdict.word().as_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(layout: Layout, twin: Option<&[u8]>) -> String {
        let mut lines = Vec::new();
        layout.write(Record { number: b"11", twin, index: 4, verdict: Verdict::Prime }, &mut lines);
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
    fn the_header_names_the_columns_of_the_lines_below() {
        for twins in [false, true] {
            let layout = Layout { twins, ..Layout::plain(Format::Csv) };
            let columns = |line: &str| line.trim_end().split(',').count();
            assert_eq!(columns(layout.header()), columns(&line(layout, twins.then_some(b"13"))));
        }
    }
}
