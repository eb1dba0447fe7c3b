//! Parses the body of `POST /check`, a JSON array of numbers. This runs on the event loop, so it stops early on bad
//! input.

use std::fmt;

use actix_web::Result;
use actix_web::error::{ErrorBadRequest, ErrorPayloadTooLarge};
use prime_fan::number;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

/// The most numbers per request.
pub(crate) const MAX_NUMBERS: usize = 10_000;

/// The longest text of a number: 128 bits are 39 digits, and underscores may separate them.
const MAX_TEXT: usize = 100;

/// The longest body: more than [`MAX_NUMBERS`] need in any sensible form.
pub(crate) const MAX_BYTES: usize = 512 * 1024;

/// How many characters of a wrong number an error message repeats.
const SHOWN: usize = 40;

/// Parses an array of numbers. Numbers may be JSON strings, since those of JavaScript are exact only up to 2^53;
/// numbers of more than 64 bits must be.
///
/// Parsing ends with the first number that is wrong or too many.
pub(crate) fn numbers(body: &[u8]) -> Result<Vec<u128>> {
    let mut numbers = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = List(&mut numbers).deserialize(&mut json).and_then(|()| json.end());
    if numbers.len() > MAX_NUMBERS {
        return Err(ErrorPayloadTooLarge(format!("more than {MAX_NUMBERS} numbers at once\n")));
    }
    read.map_err(|error| ErrorBadRequest(format!("not an array of numbers: {}\n", Short(&error.to_string(), 120))))?;
    Ok(numbers)
}

/// Displays at most this many characters of a text.
struct Short<'a>(&'a str, usize);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(self.1) {
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
            None => f.write_str(self.0),
        }
    }
}

/// Deserializes an array of numbers into a list.
struct List<'a>(&'a mut Vec<u128>);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(number) = array.next_element_seed(Number)? {
            self.0.push(number);
            if self.0.len() > MAX_NUMBERS {
                return Err(A::Error::custom("too many"));
            }
        }
        Ok(())
    }
}

struct Number;

impl<'de> DeserializeSeed<'de> for Number {
    type Value = u128;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u128, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Number {
    type Value = u128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 2^128 - 1")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u128, E> {
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u128, E> {
        let number = if text.len() > MAX_TEXT { None } else { number(text.as_bytes()).ok() };
        number.ok_or_else(|| {
            E::custom(format_args!("{:?} is not {}", Short(text, SHOWN).to_string(), &self as &dyn serde::de::Expected))
        })
    }
}
