//! The work on a slice: parse its numbers, test them and write the results.

use actix_fan::{BoxError, Job, Work};

use crate::cli::args::{Keep, OnBad};
use crate::cli::format::{Format, Layout, Place, Record};
use crate::cli::messages::error_line;
use crate::parse::input::Bad;
use crate::parse::numbers::Number;
use crate::parse::slices::{Slice, Word};
use crate::{Verdict, is_prime};

/// The result of a slice.
pub(crate) struct Sifted {
    pub(crate) lines: Vec<u8>,
    pub(crate) tested: u64,
    pub(crate) found: u64,
    pub(crate) bad: u64,
    /// The first word that is not a number, if no number comes before it or it ends the search.
    pub(crate) first_bad: Option<Bad>,
    /// The messages of `--bad report`.
    pub(crate) messages: String,
    pub(crate) bytes: u64,
}

/// Tests the numbers of slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sift {
    pub(crate) keep: Keep,
    pub(crate) bad: OnBad,
    pub(crate) layout: Layout,
    /// True if numbers are counted, not written.
    pub(crate) count: bool,
}

impl Work<Slice> for Sift {
    type Output = Sifted;

    fn run(&mut self, slice: Slice, job: &mut Job<'_, Sifted>) -> Result<(), BoxError> {
        job.emit(self.sift(&slice));
        Ok(())
    }
}

impl Sift {
    pub(crate) fn sift(&self, slice: &Slice) -> Sifted {
        let bytes = slice.bytes().len() as u64;
        let mut sifted =
            Sifted { lines: Vec::new(), tested: 0, found: 0, bad: 0, first_bad: None, messages: String::new(), bytes };
        let file = self.layout.location.then(|| self.layout.file_name(slice.file.as_deref()));
        let mut lines = slice.lines();
        for Word { at, text, number } in slice.words() {
            match number {
                Ok(number) => {
                    let index = slice.index + sifted.tested + sifted.bad;
                    sifted.tested += 1;
                    let verdict = verdict(number);
                    if self.keeps(verdict) {
                        sifted.found += 1;
                        if !self.count {
                            let place = file.as_deref().map(|file| Place { file, line: lines.of(at) });
                            self.write(text, number, index, verdict, place, &mut sifted.lines);
                        }
                    }
                }
                Err(reason) => {
                    sifted.bad += 1;
                    let mut bad = || Bad::new(slice.file.clone(), lines.of(at), text, reason);
                    match self.bad {
                        OnBad::Stop => {
                            sifted.first_bad = Some(bad());
                            break;
                        }
                        OnBad::Skip if sifted.bad == 1 && sifted.tested == 0 => sifted.first_bad = Some(bad()),
                        OnBad::Skip => {}
                        OnBad::Report => sifted.messages += &error_line(&bad()),
                    }
                }
            }
        }
        sifted
    }

    fn keeps(&self, verdict: Verdict) -> bool {
        match self.keep {
            Keep::Primes => verdict.is_prime(),
            Keep::Others => !verdict.is_prime(),
            Keep::All => true,
        }
    }

    /// Writes a number: in text as it was written in the input, in JSON and CSV in decimal.
    #[inline]
    fn write(
        &self,
        word: &[u8],
        number: Number,
        index: u64,
        verdict: Verdict,
        place: Option<Place<'_>>,
        lines: &mut Vec<u8>,
    ) {
        let mut digits = itoa::Buffer::new();
        let number = match (self.layout.format, number) {
            (Format::Text, _) => word,
            (_, Number::Small(number)) => digits.format(number).as_bytes(),
            (_, Number::Wide(number)) => digits.format(number).as_bytes(),
        };
        self.layout.write(Record { number, twin: None, index, verdict, place }, lines);
    }
}

fn verdict(number: Number) -> Verdict {
    match number {
        Number::Small(number) => Verdict::tested(number.into(), is_prime(number)),
        Number::Wide(number) => Verdict::of(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sift(keep: Keep, bad: OnBad, format: Format, text: &[u8]) -> Sifted {
        let layout = Layout { annotate: keep == Keep::All, ..Layout::plain(format) };
        Sift { keep, bad, layout, count: false }.sift(&Slice::for_test(text, "n.txt"))
    }

    fn lines(sifted: &Sifted) -> &str {
        std::str::from_utf8(&sifted.lines).unwrap()
    }

    #[test]
    fn a_number_is_kept_as_it_was_written() {
        let sifted = sift(Keep::Primes, OnBad::Stop, Format::Text, b"1 2 0x1F\r\n007 9\t11");
        assert_eq!(lines(&sifted), "2\n0x1F\n007\n11\n");
        assert_eq!((sifted.tested, sifted.found, sifted.bad, sifted.bytes), (6, 4, 0, 18));
        assert_eq!(lines(&sift(Keep::Others, OnBad::Stop, Format::Text, b"0 1 2 0x1F 9")), "0\n1\n9\n");
    }

    #[test]
    fn every_number_has_one_of_four_verdicts() {
        let text = b"0 1 2 4 18446744073709551557 18446744073709551629 18446744073709551617 0x7fffffffffffffffffffffffffffffff";
        let sifted = sift(Keep::All, OnBad::Stop, Format::Text, text);
        assert_eq!(
            lines(&sifted),
            "0 neither\n1 neither\n2 prime\n4 composite\n18446744073709551557 prime\n\
             18446744073709551629 prime\n18446744073709551617 composite\n\
             0x7fffffffffffffffffffffffffffffff probable-prime\n"
        );
    }

    /// The primes next to the bound of the proof, and the bound: it passes all the strong tests of the proof.
    #[test]
    fn a_prime_is_probable_from_the_bound_of_the_proof_on() {
        let text = b"3317044064679887385961813 3317044064679887385961981 3317044064679887385962123";
        let sifted = sift(Keep::All, OnBad::Stop, Format::Json, text);
        assert_eq!(
            lines(&sifted),
            "{\"number\":\"3317044064679887385961813\",\"index\":100,\"verdict\":\"prime\"}\n\
             {\"number\":\"3317044064679887385961981\",\"index\":101,\"verdict\":\"composite\"}\n\
             {\"number\":\"3317044064679887385962123\",\"index\":102,\"verdict\":\"probable-prime\"}\n"
        );
    }

    #[test]
    fn programs_get_decimal_numbers_and_the_index_of_the_word() {
        let sifted = sift(Keep::Primes, OnBad::Skip, Format::Csv, b"x 0x1f 4 007");
        assert_eq!(lines(&sifted), "31,101,prime\n7,103,prime\n");
        assert_eq!((sifted.tested, sifted.bad, sifted.messages.as_str()), (3, 1, ""));
    }

    #[test]
    fn what_stands_before_a_bad_word_is_put_out_and_the_word_is_named() {
        let sifted = sift(Keep::Primes, OnBad::Stop, Format::Text, b"2\n3 x\n5\n");
        assert_eq!((lines(&sifted), sifted.bad), ("2\n3\n", 1));
        assert!(sifted.first_bad.unwrap().to_string().starts_with("n.txt:8: \"x\" is not a number"));
        let sifted = sift(Keep::Primes, OnBad::Report, Format::Text, b"2\nx y\n5\n");
        assert_eq!((lines(&sifted), sifted.bad, sifted.messages.lines().count()), ("2\n5\n", 2, 2));
    }

    #[test]
    fn a_number_comes_with_its_file_and_line_on_request_and_not_at_all_when_it_is_counted() {
        let layout = |format| Layout { location: true, ..Layout::plain(format) };
        let sift = |format, count| {
            let sift = Sift { keep: Keep::Primes, bad: OnBad::Skip, layout: layout(format), count };
            sift.sift(&Slice::for_test(b"7 x\n\n8 11\n13", "n.txt"))
        };
        assert_eq!(lines(&sift(Format::Text, false)), "n.txt:7:7\nn.txt:9:11\nn.txt:10:13\n");
        assert_eq!(
            lines(&sift(Format::Csv, false)),
            "7,100,prime,n.txt,7\n11,103,prime,n.txt,9\n13,104,prime,n.txt,10\n"
        );
        let counted = sift(Format::Text, true);
        assert_eq!((lines(&counted), counted.found, counted.tested), ("", 3, 4));
    }

    #[test]
    fn the_first_bad_word_is_kept_where_no_number_stands_before_it() {
        let first = |text: &[u8]| sift(Keep::Primes, OnBad::Skip, Format::Text, text).first_bad;
        assert!(first(b"\nx y").unwrap().to_string().starts_with("n.txt:8: \"x\""));
        assert!(first(b"7 x").is_none());
    }

    #[test]
    fn a_bad_word_is_shown_in_printable_characters_and_not_at_length() {
        let named = |text: &[u8]| sift(Keep::Primes, OnBad::Stop, Format::Text, text).first_bad.unwrap().to_string();
        assert!(named(b"\x1b[31m\xff").starts_with("n.txt:7: \"\\u{1b}[31m\u{fffd}\" "));
        assert!(named("7é".repeat(100).as_bytes()).contains(&format!("\"{}…\" is", "7é".repeat(20))));
        assert!(named("é".repeat(40).as_bytes()).contains(&format!("\"{}\" is", "é".repeat(40))));
    }
}
