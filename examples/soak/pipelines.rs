//! Rounds of pipelines: one stage, two in a chain, several merged.

use std::sync::Arc;

use actix_fan::{FanIn, FanOut, ItemError, PipelineError, StartError, StopHandle, fan_in};
use futures::{Stream, StreamExt};

use crate::consumer::{Consumer, End, How};
use crate::draw::Draw;
use crate::receipts::{Receipts, item_of};
use crate::round::{Round, accounted, ensure, eventually};
use crate::source::{Source, Starter};
use crate::token::{Census, Made, Token};
use crate::work::{Factory, Fates, Verb};

const VERBS: [Verb; 6] = [Verb::Map, Verb::TryMap, Verb::FilterMap, Verb::FlatMap, Verb::With, Verb::With];

/// The settings of a pipeline.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// 0 stands for the threads that all pipelines share.
    workers: usize,
    concurrency: Option<usize>,
    window: Option<usize>,
    batch: Option<usize>,
    ordered: bool,
}

impl Shape {
    fn draw(draw: &mut Draw) -> Self {
        let window = draw.pick(&[None, Some(1), Some(2), Some(7), Some(64), Some(1_000), Some(50_000)]);
        let batch = draw.one_in(3).then(|| 1 + draw.below(window.unwrap_or(16).min(200) as u64) as usize);
        let concurrency = draw.one_in(4).then(|| 1 + draw.below(3) as usize);
        Self { workers: draw.below(5) as usize, concurrency, window, batch, ordered: draw.one_in(2) }
    }

    fn apply<S>(self, mut fan_out: FanOut<S>) -> FanOut<S> {
        if self.workers > 0 {
            fan_out = fan_out.workers(self.workers);
        }
        if let Some(concurrency) = self.concurrency {
            fan_out = fan_out.concurrency(concurrency);
        }
        if let Some(window) = self.window {
            fan_out = fan_out.window(window);
        }
        if let Some(batch) = self.batch {
            fan_out = fan_out.batch(batch);
        }
        if self.ordered { fan_out.ordered() } else { fan_out }
    }
}

struct Start<'a>(Shape, &'a Arc<Fates>, &'a Arc<Census>);

impl Starter for Start<'_> {
    type Started = Result<FanIn<Made>, StartError>;

    fn start<S>(self, fan_out: FanOut<S>) -> Self::Started
    where
        S: Stream<Item = Result<Token, ItemError>> + Unpin + 'static,
    {
        self.1.start(self.0.apply(fan_out), self.2)
    }
}

fn started(
    round: &Round,
    source: Source,
    shape: Shape,
    fates: &Arc<Fates>,
) -> Result<(FanIn<Made>, StopHandle), String> {
    let start = Start(shape, fates, &round.census);
    let started = source.fan_out(fates, &round.census, start).map_err(|error| error.to_string())?;
    let stream = started.map_err(|error| format!("it could not be started: {error}"))?;
    let handle = stream.stop_handle();
    Ok((stream, handle))
}

pub(crate) async fn single(round: &Round, draw: &mut Draw) -> Result<(), String> {
    let fates = Arc::new(Fates::draw(draw, &VERBS, false));
    let items = fates.items(draw);
    let (source, shape, consumer) = (Source::draw(draw, items), Shape::draw(draw), Consumer::draw(draw, items));
    round.is("pipeline", format!("{source:?}, {fates:?}, {shape:?}, {consumer:?}"));

    let (stream, head) = started(round, source, shape, &fates)?;
    let receipts = Receipts::new(0, vec![(*fates).clone()], source.bad(), shape.ordered);
    let (end, receipts) = consumer.consume(round, stream, &head, shape.window, receipts).await?;
    round.add(&end.stats)?;
    came(&end, source, &[&fates], end.stats.taken, &receipts)?;
    let all = end.error.is_none() && end.how != How::Stopped;
    ensure(!all || (end.stats.skipped == 0 && end.stats.failed == receipts.failures), || {
        format!("{} failures came, of {:?}", receipts.failures, end.stats)
    })
}

pub(crate) async fn chain(round: &Round, draw: &mut Draw) -> Result<(), String> {
    let fates = Arc::new(Fates::draw(draw, &[Verb::Map, Verb::TryMap, Verb::FilterMap], true));
    let more = Arc::new(Fates::draw(draw, &VERBS, false).without_bombs());
    let items = fates.items(draw).min(more.items(draw));
    let (source, consumer) = (Source::draw(draw, items), Consumer::draw(draw, items));
    let shapes = [Shape::draw(draw), Shape::draw(draw)];
    round.is("chain", format!("{source:?}, {fates:?}, {more:?}, {shapes:?}, {consumer:?}"));

    let (first, head) = started(round, source, shapes[0], &fates)?;
    let stream = more.start(shapes[1].apply(first.fan_out()), &round.census).map_err(|error| error.to_string())?;
    let ordered = shapes[0].ordered && shapes[1].ordered;
    let receipts = Receipts::new(0, vec![(*fates).clone(), (*more).clone()], source.bad(), ordered);
    let (end, receipts) = consumer.consume(round, stream, &head, shapes[1].window, receipts).await?;
    round.add(&end.stats)?;
    let taken = gone(round, &head).await?;
    came(&end, source, &[&fates, &more], taken, &receipts)
}

/// Fails unless the results fit the end.
fn came(end: &End, source: Source, stages: &[&Fates], taken: u64, receipts: &Receipts) -> Result<(), String> {
    match &end.error {
        None | Some(PipelineError::RecipientGone) => {}
        Some(PipelineError::SourcePanicked { message }) if source.panics_at == item_of(message) => {
            // Blocking sources panic with the same message.
        }
        Some(PipelineError::WorkerFactory { attempts: 5, .. })
            if stages.iter().any(|fates| fates.factory != Factory::Sound) => {}
        Some(error) => return Err(format!("it ended with {error:?}")),
    }
    match (end.how, &end.error) {
        (How::Complete, None) => {
            ensure(source.panics_at.is_none(), || "the panic of the source was not reported".to_owned())?;
            let broken = stages.iter().any(|fates| fates.factory == Factory::Broken);
            ensure(!broken || receipts.values == 0, || "results of a work that was never built".to_owned())?;
            ensure(taken == source.items, || format!("{taken} taken of {}", source.items))?;
            receipts.complete(taken)
        }
        // A factory that fails later stops what the panic of the source has drained, and its error is not reported.
        (How::Complete | How::Drained, Some(PipelineError::SourcePanicked { .. }))
            if stages.iter().any(|fates| fates.factory != Factory::Sound) =>
        {
            Ok(())
        }
        (How::Complete | How::Drained, Some(PipelineError::SourcePanicked { .. })) | (How::Drained, None) => {
            receipts.complete(taken)
        }
        _ => Ok(()),
    }
}

/// Waits until a stage whose stream was moved away has ended. Returns the number of items that it took.
async fn gone(round: &Round, stage: &StopHandle) -> Result<u64, String> {
    stage.workers_stopped().await;
    let settled = eventually(|| stage.stats().in_flight == 0).await;
    let stats = stage.stats();
    ensure(settled, || format!("in flight for good: {stats:?}"))?;
    round.add(&stats)?;
    Ok(stats.taken)
}

#[derive(Clone, Copy, Debug)]
enum Merging {
    All,
    Drop(u64),
    Now(u64),
    /// Drains the pipelines one by one.
    Drain(u64),
}

pub(crate) async fn merge(round: &Round, draw: &mut Draw) -> Result<(), String> {
    const APART: u64 = 1_000_000;
    let mut parts = Vec::new();
    for part in 0..2 + draw.below(2) {
        let fates = Arc::new(Fates::draw(draw, &VERBS, false).without_bombs());
        let items = fates.items(draw);
        let source = Source { base: part * APART, ..Source::draw(draw, items) };
        parts.push((source, Shape::draw(draw), fates));
    }
    let some = draw.below(parts.iter().map(|(source, ..)| source.items).sum::<u64>() + 1);
    let merging =
        draw.pick(&[Merging::All, Merging::All, Merging::Drop(some), Merging::Now(some), Merging::Drain(some)]);
    round.is("merge", format!("{merging:?}, {parts:?}"));

    let (mut streams, mut handles, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
    for (source, shape, fates) in &parts {
        let (stream, handle) = started(round, *source, *shape, fates)?;
        streams.push(stream);
        handles.push(handle);
        receipts.push(Receipts::new(source.base, vec![(**fates).clone()], source.bad(), shape.ordered));
    }
    let mut merged = fan_in(streams);
    let (mut results, mut how) = (0, How::Complete);
    loop {
        match merging {
            Merging::Drop(after) if after == results => {
                how = How::Stopped;
                round.stopped("merged stream dropped");
                break;
            }
            Merging::Now(after) if after == results => {
                how = How::Stopped;
                round.stopped("merged stream stopped");
                merged.stop();
            }
            Merging::Drain(after) if after == results && how == How::Complete => {
                how = How::Drained;
                round.stopped("all parts drained");
                handles.iter().for_each(StopHandle::drain);
            }
            _ => {}
        }
        let Some(result) = merged.next().await else { break };
        results += 1;
        let part = match &result {
            Ok(made) => Some(made.token.id / APART),
            Err(error) if error.pipeline_error().is_some() => None,
            Err(error) => Some(of_failure(error)? / APART),
        };
        if let Some(part) = part {
            receipts.get_mut(part as usize).ok_or("an item of no part")?.take(result)?;
        }
    }
    accounted(&merged.stats())?;
    drop(merged);
    for (((source, _, fates), handle), receipts) in parts.iter().zip(&handles).zip(&receipts) {
        let taken = gone(round, handle).await?;
        if fates.factory == Factory::Sound && how != How::Stopped {
            receipts.complete(taken)?;
            let due = source.panics_at.unwrap_or(source.items);
            ensure(how == How::Drained || taken == due, || format!("{taken} taken of {due}"))?;
        }
    }
    Ok(())
}

fn of_failure(error: &ItemError) -> Result<u64, String> {
    let work = error.work_error().or(error.source_error()).map(ToString::to_string);
    let message = error.panic_message().or(work.as_deref());
    message.and_then(item_of).ok_or_else(|| format!("a failure that was not injected: {error:?}"))
}
