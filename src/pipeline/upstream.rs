//! Which runs a stream is made of.
//!
//! A run that consumes others stops them, waits for their workers and ends no better than they did. So it must know
//! them, before anything is polled, although all it has is some `Stream`. One method of a stream yields no item, and is
//! passed on by adapters to the streams they own: `size_hint`. When this module calls it, a stream of this crate that
//! is called in turn adds its run to a list of this thread.
//!
//! Runs behind a stream that doesn't pass the call on are not found: a channel, a task, `select`, `flatten`, `unfold`,
//! and every stream whose `size_hint` is the trait's default. Such runs stop when their streams are dropped.
//!
//! Rejected: a trait that the streams of `fan_in` must implement, which excludes all other streams; and to record which
//! runs are polled while a run polls its source, which is too late for a stream that is never polled.

use std::cell::RefCell;
use std::mem;

use futures::Stream;

use crate::engine::run::Run;
use crate::util::panic::catch;
use crate::util::sync::thread_local;

thread_local! {
    /// The runs that answered; `None` unless [`runs_of`] is asking.
    #[allow(clippy::missing_const_for_thread_local, reason = "shuttle's macro knows no const block")]
    static HEARD: RefCell<Option<Vec<Run>>> = RefCell::new(None);
}

/// The runs that `stream` is made of, as far as they can be reached; the nearest only, since those know theirs.
pub(crate) fn runs_of<S: Stream>(stream: &S) -> Vec<Run> {
    // Nested calls happen: a `size_hint` of the user's may call this for another stream. So the outer list is put back.
    // While the thread ends, the list is gone already; the stream's runs then stop when it is dropped.
    let Ok(outer) = HEARD.try_with(|heard| heard.replace(Some(Vec::new()))) else { return Vec::new() };
    let asked = catch(|| stream.size_hint());
    drop(asked);
    HEARD.with(|heard| mem::replace(&mut *heard.borrow_mut(), outer)).unwrap_or_default()
}

/// To be called by the `size_hint` of a run's stream: adds the run to the list, if [`runs_of`] is asking. Returns true
/// if it is.
pub(crate) fn answer(run: &Run) -> bool {
    let listened = HEARD.try_with(|heard| {
        let mut heard = heard.borrow_mut();
        if let Some(runs) = &mut *heard {
            runs.push(run.clone());
        }
        heard.is_some()
    });
    listened.unwrap_or(false)
}
