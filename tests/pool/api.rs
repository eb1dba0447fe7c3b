//! What must hold of the types, checked by the compiler.

use std::cell::Cell;
use std::error::Error;
use std::future::Future;
use std::marker::PhantomPinned;

use actix_fan::{Job, NotOneResult, Pool, PoolBuilder, PoolSink, PoolStream, Submission, SubmitError, pool, work_fn};
use futures::stream::FusedStream;
use futures::{Sink, Stream};

fn send<T: Send + 'static>() {}
fn sync<T: Send + Sync + 'static>() {}
fn clone<T: Clone>() {}
fn unpin<T: Unpin>() {}
fn error<T: Error + Send + Sync + 'static>() {}
fn future<F: Future<Output = Result<T, SubmitError<I>>>, I, T>() {}
fn sink<S: Sink<I, Error = SubmitError<I>>, I>() {}
fn stream<S: Stream<Item = Result<T, SubmitError<I>>> + FusedStream, I, T>() {}

#[test]
fn a_pool_can_be_shared_whatever_its_items_are() {
    sync::<Pool<u64, String>>();
    sync::<Pool<Cell<u64>, Cell<u64>>>();
    clone::<Pool<PhantomPinned, PhantomPinned>>();
    sync::<PoolBuilder>();
    send::<Submission<Cell<u64>, Cell<u64>>>();
    send::<PoolSink<Cell<u64>, Cell<u64>>>();
    send::<PoolStream<Cell<u64>, Cell<u64>>>();
}

#[test]
fn the_futures_and_streams_of_a_pool_are_unpin() {
    unpin::<Submission<PhantomPinned, PhantomPinned>>();
    unpin::<PoolSink<PhantomPinned, PhantomPinned>>();
    unpin::<PoolStream<PhantomPinned, PhantomPinned>>();
    future::<Submission<u8, u16>, u8, u16>();
    sink::<PoolSink<u8, u16>, u8>();
    stream::<PoolStream<u8, u16>, u8, u16>();
}

#[test]
fn errors_are_errors() {
    struct Opaque;
    error::<SubmitError<Opaque>>();
    error::<NotOneResult>();
}

#[test]
fn the_futures_of_a_pool_can_be_spawned_anywhere() {
    fn spawnable<F: Future + Send>(_: F) {}
    fn each(pool: &Pool<u64, u64>) {
        spawnable(pool.submit(1));
        spawnable(pool.finished());
        spawnable(pool.shutdown(std::future::ready(())));
    }
    let _ = each;
}

#[test]
fn the_items_of_a_pool_are_inferred_from_its_work() {
    let _ = || pool().map(|n: u8| u16::from(n));
    let _ = || pool().try_map(|text: String| text.parse::<u64>());
    let _ = || {
        pool().with(|| {
            work_fn(|n: u8, job: &mut Job<'_, u16>| {
                job.emit(u16::from(n));
                Ok(())
            })
        })
    };
}
