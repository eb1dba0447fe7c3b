//! Which runs a stream is made of.
//!
//! A run that consumes others stops them, waits for their workers and ends no better than they did. So it must know them,
//! before anything is polled, though all it has is some `Stream`. There is one question that a stream answers without giving
//! anything away, and that adapters pass on to the streams they own: the size hint. A stream of this crate that hears it
//! asked from here says who it is.
//!
//! Out of reach is what doesn't pass the question on: a channel, a task, `select`, `flatten`, `unfold`, and every stream whose
//! `size_hint` is the trait's default. Such runs stop when their streams are dropped.
//!
//! Rejected: a trait that the streams of `fan_in` must have, which leaves out everyone else's; and to learn who is
//! polled while a run polls its source, which comes too late for a stream that nobody polls.

use std::cell::RefCell;
use std::mem;

use futures::Stream;

use crate::engine::run::Run;
use crate::util::panic::catch;
use crate::util::sync::thread_local;

thread_local! {
    /// Those who answered; `None` while nobody asks.
    #[allow(clippy::missing_const_for_thread_local, reason = "shuttle's macro knows no const block")]
    static HEARD: RefCell<Option<Vec<Run>>> = RefCell::new(None);
}

/// The runs that `stream` is made of, as far as they can be reached; the nearest only, since those know theirs.
pub(crate) fn runs_of<S: Stream>(stream: &S) -> Vec<Run> {
    // A size hint, which may be a user's, may make another stream.
    // Where a thread is about to end there is no place to listen at, and the stream's runs stop when it is dropped.
    let Ok(outer) = HEARD.try_with(|heard| heard.replace(Some(Vec::new()))) else { return Vec::new() };
    let asked = catch(|| stream.size_hint());
    drop(asked);
    HEARD.with(|heard| mem::replace(&mut *heard.borrow_mut(), outer)).unwrap_or_default()
}

/// Answers, if that is what the size hint of a run's stream was asked for. Returns true if it was.
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
