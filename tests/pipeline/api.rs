//! What must hold of the types, checked by the compiler.

use std::error::Error;

use actix::{Addr, Recipient};
use actix_fan::{
    Aggregator, Blocking, Chunk, End, FanIn, FanOutExt, Generator, ItemError, Merged, PipelineError, Snapshot,
    StartError, Stats, Stop, StopHandle,
};
use futures::Stream;
use futures::stream::FusedStream;

fn send<T: Send + 'static>() {}
fn sync<T: Send + Sync + 'static>() {}
fn unpin<T: Unpin>() {}
fn error<T: Error + Send + Sync + 'static>() {}
fn stream<S: Stream<Item = Result<T, ItemError>> + FusedStream, T>() {}

#[test]
fn the_handles_can_be_sent_and_shared() {
    send::<FanIn<u64>>();
    unpin::<FanIn<std::marker::PhantomPinned>>();
    stream::<FanIn<String>, String>();
    send::<Chunk<u64>>();
    send::<Merged<FanIn<u64>>>();
    send::<Blocking<u64>>();
    sync::<StopHandle>();
    sync::<Stats>();
    sync::<End>();
    sync::<Addr<Generator>>();
    sync::<Addr<Aggregator<u64>>>();
    error::<ItemError>();
    error::<PipelineError>();
    error::<StartError>();
}

#[test]
fn waiting_for_an_end_can_be_done_on_any_thread() {
    fn sent<F: Future<Output: Send> + Send>(_: F) {}
    fn waits(stop: &StopHandle, results: &mut FanIn<u64>, merged: &mut Merged<FanIn<u64>>) {
        sent(stop.finished());
        sent(stop.workers_stopped());
        sent(results.finished());
        sent(merged.finished());
    }
    let _ = waits;
}

#[test]
fn any_actor_can_keep_the_generator_by_what_it_takes() {
    fn recipients(generator: Addr<Generator>) -> (Recipient<Stop>, Recipient<Snapshot>) {
        (generator.clone().recipient(), generator.recipient())
    }
    let _ = recipients;
}

#[test]
fn the_kind_of_a_source_is_inferred() {
    let _ = vec![1, 2, 3].fan_out();
    let _ = (0..).map(|n: u64| n + 1).fan_out();
    let _ = Some("one").fan_out();
    let _ = futures::stream::repeat(1).fan_out();
    let boxed: futures::stream::LocalBoxStream<'static, u8> = Box::pin(futures::stream::empty());
    let _ = boxed.fan_out();
    let dynamic: Box<dyn Iterator<Item = u8>> = Box::new(0..3);
    let _ = dynamic.fan_out();
}
