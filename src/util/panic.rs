//! Panics of code that is not this crate's, caught where they would otherwise take a thread, an actor or an item with
//! them. A panic that meets another one on its way, in a `Drop`, would end the process.
//!
//! Such code never runs under a lock of this crate, and never outside of [`catch`]:
//!
//! | foreign code | called | by | after a panic |
//! |---|---|---|---|
//! | the work, and all that it calls | on a worker's thread | `Executor::run` | the item has failed, the work is built anew |
//! | the factory | on a worker's thread | `Executor::prepare` | it is tried again, five times in all |
//! | a source | on the arbiter, or on the thread of `blocking` | `Feed::poll`, `blocking` | `SourcePanicked` |
//! | `Drop` of sources, items, results, errors, works, factories | where the last use was | [`discard`], [`discard_all`], [`Guarded`] | nothing |
//! | a logger, and the `Display` of what is logged | everywhere | `logging` | the record is lost |
//! | a waker | where the awaited thing happens, also inside of channels | `waker` | that task is not woken |
//! | a writer or `Serialize`, in `web` | on the connection's arbiter | `web::write` | a failure in the result's place |
//! | the texts of errors, where they are written as JSON | where that is done | `error::texts` | it is said to have none |
//!
//! What an application calls itself may panic in its own frame: the messages that it makes for `deliver_with`, the
//! streams that it merges while they are polled. A panic hook that panics ends the process, by the language's rules.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`; a panic comes back as its message.
///
/// Unwind safety is asserted: what `f` may leave half done is either dropped by the caller or belongs to the user's
/// `Work`, which is rebuilt.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(message)
}

/// Drops `value`, whose `Drop` may panic. The panic hook has reported it; there is nobody else to tell.
pub(crate) fn discard<T>(value: T) {
    let _ = catch(|| drop(value));
}

/// Drops values one by one, so that one panic among them doesn't become a second one while unwinding.
pub(crate) fn discard_all<T>(values: impl IntoIterator<Item = T>) {
    if std::mem::needs_drop::<T>() {
        values.into_iter().for_each(discard);
    }
}

/// A value whose `Drop` may panic, on the way to its place: where it doesn't get there it is discarded.
pub(crate) struct Guarded<T>(Option<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect("only this takes it, once")
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
    // The value itself may panic when it is dropped, and so may the value of that panic: this one is left alone.
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
    fn a_panic_while_dropping_is_contained() {
        discard_all([Bomb, Bomb]);
        drop([Guarded::new(Bomb), Guarded::new(Bomb)]);
        assert_eq!(Guarded::new(7).into_inner(), 7);
        assert!(catch(|| std::panic::panic_any(Bomb)).is_err());
    }
}
