//! What a server says outside of its replies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was said outside of a reply: of a permission that is missing, or why there is no connection.
#[derive(Clone, Default)]
pub(super) struct Complaint(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    /// The last thing of this connection.
    last: Option<String>,
    /// True if no error has told it yet.
    is_new: bool,
    refusals: u64,
}

impl Complaint {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns false if the same was said the last time.
    pub(super) fn set(&self, text: String, is_refusal: bool) -> bool {
        let mut said = self.said();
        said.is_new = true;
        said.refusals += u64::from(is_refusal);
        said.last.replace(text) != said.last
    }

    /// There is a new connection.
    pub(super) fn clear(&self) {
        let mut said = self.said();
        said.is_new = false;
        said.last = None;
    }

    /// The last thing, once.
    pub(super) fn take(&self) -> Option<String> {
        let mut said = self.said();
        let is_new = std::mem::take(&mut said.is_new);
        said.last.clone().filter(|_| is_new)
    }

    /// How often the server has refused something.
    pub(super) fn refusals(&self) -> u64 {
        self.said().refusals
    }
}
