//! Panics of foreign code: code that is not this crate's, but is called by it. Uncaught, such a panic would end a
//! thread or an actor, or lose an item; during another panic, in a `Drop`, it would end the process.
//!
//! Foreign code never runs under a lock of this crate, and never outside of [`catch`]:
//!
//! | foreign code | called | by | after a panic |
//! |---|---|---|---|
//! | the work, and all that it calls | on a worker thread | `Executor::lend` | the item fails, the work is rebuilt |
//! | the factory | on a worker thread | `Executor::prepare` | it is called again, at most five times in all |
//! | a source | on the arbiter, or on the thread of `blocking` | `Feed::poll`, `blocking` | `SourcePanicked` |
//! | `Drop` of sources, items, results and iterators of them, errors, works, factories | at their last use | [`discard`], [`discard_all`], [`Guarded`] | nothing |
//! | a logger, and the `Display` of logged values | everywhere | `util::log` | the record is lost |
//! | an observer | where something happens | `observe::observed` | the others are told, the items run |
//! | a waker | at the awaited event, also inside of channels | `util::waker` | its task is not woken |
//! | a writer or `Serialize`, in `web` | on the connection's arbiter | `web::write` | the stream has a failure in place of the result |
//! | the `Display` of errors that are written as JSON | where they are written | `error::texts` | the JSON has no text of the error |
//!
//! Not caught are panics in code that the application calls itself, in its own frame: the message that it makes of a
//! result for `deliver_with`, and streams that it merges while they are polled. A panic hook that panics ends the
//! process, by the rules of the language.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `f`; returns the message of its panic as an error.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    // Unwind safe: a value that `f` left in the middle of a change is either dropped by the caller, or it is the user's
    // `Work`, which is rebuilt.
    catch_unwind(AssertUnwindSafe(f)).map_err(message)
}

/// Drops `value`, whose `Drop` may panic.
pub(crate) fn discard<T>(value: T) {
    // The panic hook has reported the panic, and no caller could handle it.
    let _ = catch(|| drop(value));
}

/// Drops values one by one: if one of them panicked in the `Drop` of their collection, a second panic while it unwinds
/// would end the process.
pub(crate) fn discard_all<T>(values: impl IntoIterator<Item = T>) {
    if std::mem::needs_drop::<T>() {
        values.into_iter().for_each(discard);
    }
}

/// A value whose `Drop` may panic. It is taken out with [`into_inner`](Self::into_inner), or discarded on an early
/// return.
pub(crate) struct Guarded<T>(Option<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect("only `into_inner` takes it, and consumes the guard")
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        discard(self.0.take());
    }
}

fn message(payload: Box<dyn Any + Send>) -> String {
    let text = match payload.downcast_ref::<&'static str>() {
        Some(text) => (*text).to_owned(),
        None => match payload.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => "a panic whose value is not text".to_owned(),
        },
    };
    // The payload may panic when it is dropped, and so may the payload of that panic. The latter is leaked.
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(another);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    #[test]
    fn the_message_of_a_panic_is_kept() {
        assert_eq!(catch(|| 7), Ok(7));
        assert_eq!(catch(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(catch(|| panic!("number {}", 7)), Err::<(), _>("number 7".to_owned()));
        let odd = catch(|| std::panic::panic_any(7u8));
        assert_eq!(odd, Err::<(), _>("a panic whose value is not text".to_owned()));
    }

    #[test]
    fn a_panic_in_a_drop_is_caught() {
        discard_all([Bomb, Bomb]);
        drop([Guarded::new(Bomb), Guarded::new(Bomb)]);
        assert_eq!(Guarded::new(7).into_inner(), 7);
        assert!(catch(|| std::panic::panic_any(Bomb)).is_err());
    }
}
