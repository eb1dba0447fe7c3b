//! Where messages go.

pub(crate) mod threads;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actix::{Message, Recipient};

/// An actor that takes messages of this kind, or whatever stands in for it.
pub(crate) trait Post<M> {
    /// Never waits. Where nobody takes messages any more, this one is dropped.
    fn post(&self, message: M);
}

impl<M> Post<M> for Recipient<M>
where
    M: Message<Result: Send> + Send,
{
    fn post(&self, message: M) {
        self.do_send(message);
    }
}

/// The way to an actor that is about to start: until then messages wait in it.
pub(crate) struct Entrance<M: Message<Result: Send> + Send>(Arc<Way<M>>);

/// Whose end of the way it is to open it, once. Dropped instead, it closes it: what waits is dropped, and what comes.
pub(crate) struct Opening<M: Message<Result: Send> + Send>(Arc<Way<M>>);

struct Way<M: Message<Result: Send> + Send> {
    /// Set under the lock of `waiting`, so that no message can stay behind there.
    open: OnceLock<Recipient<M>>,
    /// `None`: nothing waits here any more.
    waiting: Mutex<Option<Vec<M>>>,
}

/// Both ends of a way.
pub(crate) fn entrance<M: Message<Result: Send> + Send>() -> (Entrance<M>, Opening<M>) {
    let way = Arc::new(Way { open: OnceLock::new(), waiting: Mutex::new(Some(Vec::new())) });
    (Entrance(Arc::clone(&way)), Opening(way))
}

impl<M: Message<Result: Send> + Send> Post<M> for Entrance<M> {
    fn post(&self, message: M) {
        if self.0.open.get().is_none() {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waiting) = &mut *waiting {
                return waiting.push(message);
            }
        }
        if let Some(open) = self.0.open.get() {
            open.do_send(message);
        }
    }
}

impl<M: Message<Result: Send> + Send> Opening<M> {
    /// Sends on what waits, and from now on everything. What is posted meanwhile may overtake it.
    pub(crate) fn open(self, recipient: Recipient<M>) {
        let waiting = {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // It is opened once, since that takes this end.
            let _ = self.0.open.set(recipient.clone());
            waiting.take()
        };
        waiting.into_iter().flatten().for_each(|message| recipient.do_send(message));
    }
}

impl<M: Message<Result: Send> + Send> Drop for Opening<M> {
    fn drop(&mut self) {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Not under the lock: messages hold what is the user's.
        drop(waiting);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use actix::{Actor, Context, Handler, System};

    use super::*;

    #[derive(Clone)]
    struct Note(Arc<AtomicUsize>);
    impl Message for Note {
        type Result = ();
    }

    struct Reader;
    impl Actor for Reader {
        type Context = Context<Self>;
    }
    impl Handler<Note> for Reader {
        type Result = ();
        fn handle(&mut self, Note(read): Note, _: &mut Context<Self>) {
            read.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn what_is_posted_before_the_actor_is_there_reaches_it() {
        let read = Arc::new(AtomicUsize::new(0));
        System::new().block_on(async {
            let (entrance, opening) = entrance();
            (0..3).for_each(|_| entrance.post(Note(Arc::clone(&read))));
            let reader = Reader.start();
            opening.open(reader.clone().recipient());
            entrance.post(Note(Arc::clone(&read)));
            reader.send(Note(Arc::clone(&read))).await.unwrap();
        });
        assert_eq!(read.load(SeqCst), 5);
    }

    #[test]
    fn a_way_that_is_never_opened_drops_what_waits_and_what_comes() {
        let read = Arc::new(AtomicUsize::new(0));
        let (entrance, opening) = entrance();
        entrance.post(Note(Arc::clone(&read)));
        assert_eq!(Arc::strong_count(&read), 2);
        drop(opening);
        assert_eq!(Arc::strong_count(&read), 1);
        entrance.post(Note(Arc::clone(&read)));
        assert_eq!((Arc::strong_count(&read), read.load(SeqCst)), (1, 0));
    }
}
