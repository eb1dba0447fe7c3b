//! The answers of a pool, compared with the expected ones.

use std::sync::Mutex;

use actix_fan::{Stats, SubmitError};
use tokio::sync::Notify;

use crate::receipts::item_of;
use crate::round::ensure;
use crate::token::{Made, Token};
use crate::work::{Fate, Fates};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// Items that were submitted, admitted or not.
    pub(crate) offered: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Items that were returned.
    pub(crate) back: u64,
    /// Answers with neither a result nor the item.
    pub(crate) gone: u64,
    /// Items whose answer was not awaited.
    pub(crate) abandoned: u64,
}

impl Count {
    pub(crate) fn answers(&self) -> u64 {
        self.done + self.failed + self.back + self.gone
    }
}

/// The answers so far, from all threads.
pub(crate) struct Answers {
    fates: Fates,
    count: Mutex<Count>,
    breach: Mutex<Option<String>>,
    /// The number of answers after which the pool is ended.
    end_after: u64,
    /// Notified then.
    pub(crate) end: Notify,
}

impl Answers {
    pub(crate) fn new(fates: &Fates, end_after: u64) -> Self {
        Self { fates: fates.clone(), count: Mutex::default(), breach: Mutex::default(), end_after, end: Notify::new() }
    }

    pub(crate) fn count(&self) -> Count {
        *self.count.lock().unwrap()
    }

    pub(crate) fn offer(&self) {
        self.count.lock().unwrap().offered += 1;
    }

    pub(crate) fn abandon(&self) {
        self.count.lock().unwrap().abandoned += 1;
    }

    /// Checks the answer for item `id`; `None`: for any item of a channel. Returns the item's number.
    pub(crate) fn take(&self, id: Option<u64>, answer: Result<Made, SubmitError<Token>>) -> Option<u64> {
        let checked = self.check(id, answer);
        if self.count().answers() == self.end_after {
            self.end.notify_one();
        }
        checked.unwrap_or_else(|text| {
            self.breach.lock().unwrap().get_or_insert(text);
            None
        })
    }

    fn check(&self, id: Option<u64>, answer: Result<Made, SubmitError<Token>>) -> Result<Option<u64>, String> {
        let mut count = self.count.lock().unwrap();
        let answered = match answer {
            Ok(mut made) => {
                count.done += 1;
                made.token.defuse();
                let id = made.token.id;
                let right = made.value == self.fates.value(id, 0) && self.fates.fate(id) == Fate::Results(1);
                ensure(right, || format!("item {id} has a wrong result"))?;
                Some(id)
            }
            Err(SubmitError::Failed(error)) => {
                count.failed += 1;
                let work = error.work_error().map(ToString::to_string);
                let message = error.panic_message().or(work.as_deref());
                let id = message.and_then(item_of).ok_or_else(|| format!("not injected: {error:?}"))?;
                let fits = match self.fates.fate(id) {
                    Fate::Error => work.is_some(),
                    Fate::Panic | Fate::Bomb => work.is_none(),
                    Fate::Results(_) => false,
                };
                ensure(fits, || format!("item {id} was not to fail like this: {error:?}"))?;
                Some(id)
            }
            Err(SubmitError::OwnPool(mut token)) => {
                token.defuse();
                return Err("a caller was taken for a worker of the pool".to_owned());
            }
            Err(error) => match error.into_item() {
                Some(mut token) => {
                    count.back += 1;
                    token.defuse();
                    Some(token.id)
                }
                None => {
                    count.gone += 1;
                    id
                }
            },
        };
        ensure(id.is_none() || answered == id, || format!("item {id:?} has the answer of {answered:?}"))?;
        Ok(answered)
    }

    /// Fails unless the pool's final numbers match the answers. `plainly`: nothing was stopped, so they match exactly.
    pub(crate) fn fit(&self, stats: &Stats, plainly: bool) -> Result<(), String> {
        if let Some(text) = self.breach.lock().unwrap().take() {
            return Err(text);
        }
        let count = self.count();
        let of = || format!("{count:?}, of {stats:?}");
        ensure(count.answers() + count.abandoned == count.offered, || format!("an answer is missing: {}", of()))?;
        ensure(stats.emitted == count.done, || format!("results are missing: {}", of()))?;
        let least = stats.completed >= count.done && stats.failed >= count.failed && stats.taken <= count.offered;
        ensure(least, || format!("more came than ended: {}", of()))?;
        let exact = stats.completed == count.done && stats.failed == count.failed && stats.skipped == 0;
        ensure(!plainly || count.abandoned > 0 || (exact && count.gone == 0), || format!("not exact: {}", of()))
    }
}
