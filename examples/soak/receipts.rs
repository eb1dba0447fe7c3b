//! The results of a pipeline, compared with the expected ones.

use actix_fan::ItemError;

use crate::token::Made;
use crate::work::{Fate, Fates, INJECTED};

/// The results so far, of items `base..`.
pub(crate) struct Receipts {
    base: u64,
    /// The stages that the items pass, in order.
    stages: Vec<Fates>,
    /// Returns true for items that the source yields as errors.
    bad: fn(u64) -> bool,
    ordered: bool,
    /// By item: how many results came, or [`FAILED`].
    seen: Vec<u8>,
    last: Option<u64>,
    pub(crate) values: u64,
    pub(crate) failures: u64,
}

const FAILED: u8 = u8::MAX;

/// The item of an injected message, its last word.
pub(crate) fn item_of(message: &str) -> Option<u64> {
    message.strip_prefix(INJECTED)?.parse().ok()
}

impl Receipts {
    pub(crate) fn new(base: u64, stages: Vec<Fates>, bad: fn(u64) -> bool, ordered: bool) -> Self {
        Self { base, stages, bad, ordered, seen: Vec::new(), last: None, values: 0, failures: 0 }
    }

    /// The expected end of the item: that of the first stage that does not pass it on.
    fn fate(&self, id: u64) -> Fate {
        let mut end = Fate::Results(1);
        for stage in &self.stages {
            end = stage.fate(id);
            if end != Fate::Results(1) {
                break;
            }
        }
        end
    }

    pub(crate) fn take(&mut self, result: Result<Made, ItemError>) -> Result<(), String> {
        let (id, part) = match result {
            Ok(mut made) => {
                made.token.defuse();
                let (id, part) = (made.token.id, made.part);
                let last = self.stages.last().expect("there is one");
                if made.value != last.value(id, part) {
                    return Err(format!("item {id} has a wrong result"));
                }
                (id, Some(part))
            }
            Err(error) => (self.failed(&error)?, None),
        };
        if self.ordered && self.last.is_some_and(|last| last > id) {
            return Err(format!("item {id} came after item {:?}", self.last));
        }
        self.last = Some(id);
        let place = id.checked_sub(self.base).ok_or_else(|| format!("item {id} is another stream's"))? as usize;
        if self.seen.len() <= place {
            self.seen.resize(place + 1, 0);
        }
        match part {
            Some(part) if self.seen[place] == part => {
                self.values += 1;
                self.seen[place] += 1;
                Ok(())
            }
            None if self.seen[place] == 0 => {
                self.failures += 1;
                self.seen[place] = FAILED;
                Ok(())
            }
            _ => Err(format!("item {id} came twice or out of order: part {part:?} after {}", self.seen[place])),
        }
    }

    /// Returns the item that failed. An error if it was not to fail in this way.
    fn failed(&self, error: &ItemError) -> Result<u64, String> {
        let work_error = error.work_error().map(ToString::to_string);
        let source_error = error.source_error().map(ToString::to_string);
        let message = error.panic_message().or(work_error.as_deref()).or(source_error.as_deref());
        let id = message.and_then(item_of).ok_or_else(|| format!("a failure that was not injected: {error:?}"))?;
        let fits = if source_error.is_some() {
            (self.bad)(id)
        } else if work_error.is_some() {
            self.fate(id) == Fate::Error
        } else {
            matches!(self.fate(id), Fate::Panic | Fate::Bomb)
        };
        // In a chain the index is the position in the stage's source.
        if !fits || (self.stages.len() == 1 && error.index() != id - self.base) {
            return Err(format!("item {id} was not to fail like this: {error:?}"));
        }
        Ok(id)
    }

    /// Fails unless all results of the first `items` came, and no others.
    pub(crate) fn complete(&self, items: u64) -> Result<(), String> {
        for place in 0..items {
            let id = self.base + place;
            let fate = if (self.bad)(id) { Fate::Error } else { self.fate(id) };
            let due = match fate {
                Fate::Results(parts) => parts,
                _ => FAILED,
            };
            let came = self.seen.get(place as usize).copied().unwrap_or(0);
            if came != due {
                return Err(format!("item {id} of {items} is lost: {came} results came of {due} ({fate:?})"));
            }
        }
        if self.seen.len() as u64 > items {
            return Err(format!("{} items came of {items}", self.seen.len()));
        }
        Ok(())
    }
}
