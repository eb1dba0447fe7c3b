//! Slices of the range, in which several workers sort the multiples of the large primes at the same time.
//!
//! To find the first multiple of each large prime takes longer than to strike out the multiples in a segment. So it is
//! done for many segments at once, by all workers that need one of these segments: each takes blocks of the primes, and
//! sorts their multiples into buckets of its own. When all blocks are done, each worker takes the buckets of its segment.

use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::buckets::{BUCKET, Buckets, Chain, NUMBERS, Spares};

/// How long a worker waits between two calls of `give_up`.
const PATIENCE: Duration = Duration::from_millis(1);

/// How many slices are kept: the workers go on to the next one while one of them is in the last segment of the one
/// before.
const KEPT: usize = 2;

/// The most spare blocks of a worker, beside one per bucket: enough for a task. If it had to create blocks while others
/// are free, there would be more of them with every slice.
const SPARES: usize = 1024;

/// The slices of a range.
pub(super) struct Slices {
    /// The first bucket of the range, counted from number 0.
    first: u64,
    /// How many buckets a slice has.
    len: u64,
    /// How many tasks it is to find the multiples of a slice.
    tasks: usize,
    /// Those in use, the latest one last.
    kept: Mutex<Vec<Arc<Slice>>>,
    /// Blocks that are free.
    spares: Mutex<Spares>,
}

/// The large primes' multiples in a slice.
struct Slice {
    index: u64,
    /// The next task to be done.
    next: AtomicUsize,
    state: Mutex<State>,
    /// Notified when `state.left` is 0, or a worker has failed.
    changed: Condvar,
}

struct State {
    /// How many tasks are not done, and how many workers finish the buckets of another.
    left: usize,
    /// True if a worker has panicked: some multiples are missing.
    failed: bool,
    /// The buckets of each worker.
    parts: Vec<Vec<Chain>>,
    /// Those of workers that gave up. To finish them takes some milliseconds, which a worker that goes on has.
    unfinished: Vec<Buckets>,
    /// For each bucket, true if its chains were taken.
    taken: Vec<bool>,
}

/// The result of [`Slices::take`].
pub(super) enum Taken {
    /// The chains are complete.
    All,
    /// They were taken before, or could not be found.
    Missing,
    GivenUp,
}

impl Slices {
    /// Creates slices of `len` buckets for a range that begins with `start`. For each slice there are `tasks`.
    pub(super) fn new(start: u64, len: u64, tasks: usize) -> Self {
        Self { first: start / NUMBERS, len, tasks, kept: Mutex::default(), spares: Mutex::default() }
    }

    /// Moves the chains of the buckets that have one of `bytes`, counted from number 0, to `chains`, each with the first
    /// byte of its bucket. `collect` does a task: it sorts multiples between `start` and `start + len`.
    pub(super) fn take(
        &self,
        bytes: Range<u64>,
        buckets: &mut Buckets,
        chains: &mut Vec<(u64, Chain)>,
        mut collect: impl FnMut(usize, u64, u32, &mut Buckets),
        give_up: &mut impl FnMut() -> bool,
    ) -> Taken {
        let end = bytes.end.div_ceil(BUCKET as u64);
        let mut bucket = bytes.start / BUCKET as u64;
        while bucket < end {
            let index = (bucket - self.first) / self.len;
            let first = self.first + index * self.len;
            let slice = self.slice(index);
            let Some(mut state) = self.complete(&slice, first, buckets, &mut collect, give_up) else {
                return Taken::GivenUp;
            };
            let until = end.min(first + self.len);
            if state.failed {
                return Taken::Missing;
            }
            for bucket in bucket..until {
                let at = (bucket - first) as usize;
                if state.taken[at] {
                    return Taken::Missing;
                }
                let byte = bucket * BUCKET as u64;
                let is_whole = bytes.start <= byte && byte + BUCKET as u64 <= bytes.end;
                state.taken[at] = is_whole;
                for part in &mut state.parts {
                    let chain = if is_whole { mem::take(&mut part[at]) } else { part[at].clone() };
                    chains.push((byte, chain));
                }
            }
            bucket = until;
        }
        Taken::All
    }

    /// Returns the blocks of chains that were struck out.
    pub(super) fn give_back(&self, chains: &mut Vec<(u64, Chain)>) {
        let mut spares = lock(&self.spares);
        chains.drain(..).for_each(|(_, mut chain)| spares.append(&mut chain));
    }

    /// Returns a slice, which is new if it is not one of the last ones.
    fn slice(&self, index: u64) -> Arc<Slice> {
        let mut kept = lock(&self.kept);
        if let Some(slice) = kept.iter().find(|slice| slice.index == index) {
            return Arc::clone(slice);
        }
        if kept.len() == KEPT {
            kept.remove(0);
        }
        let taken = vec![false; self.len as usize];
        let state = State { left: self.tasks, failed: false, parts: Vec::new(), unfinished: Vec::new(), taken };
        let slice = Slice { index, next: AtomicUsize::new(0), state: Mutex::new(state), changed: Condvar::new() };
        let slice = Arc::new(slice);
        kept.push(Arc::clone(&slice));
        slice
    }

    /// Does tasks of a slice that begins with the bucket `first`, and waits until all are done and their buckets are
    /// finished, or one has failed. Returns `None` if `give_up` returned true.
    fn complete<'a>(
        &self,
        slice: &'a Slice,
        first: u64,
        buckets: &mut Buckets,
        collect: &mut impl FnMut(usize, u64, u32, &mut Buckets),
        give_up: &mut impl FnMut() -> bool,
    ) -> Option<MutexGuard<'a, State>> {
        let mut share = Share::new(slice, 0);
        let mut given_up = false;
        while !given_up {
            let task = slice.next.fetch_add(1, Ordering::Relaxed);
            if task >= self.tasks {
                break;
            }
            if share.done == 0 {
                buckets.ready(self.len as usize);
            }
            share.done += 1;
            self.supply(&mut buckets.spares);
            collect(task, first * NUMBERS, (self.len * NUMBERS) as u32, buckets);
            given_up = give_up();
        }
        if share.done > 0 {
            match given_up {
                true => share.unfinished = Some(mem::take(buckets)),
                false => share.part = Some(self.finish(buckets)),
            }
        }
        share.is_sound = true;
        drop(share);
        while !given_up {
            let mut state = slice.wait();
            if state.is_settled() {
                return Some(state);
            }
            if let Some(mut buckets) = state.unfinished.pop() {
                // One more task until they are finished, so that no worker takes the chains without theirs.
                state.left += 1;
                drop(state);
                let mut share = Share::new(slice, 1);
                share.part = Some(self.finish(&mut buckets));
                share.is_sound = true;
            } else {
                drop(state);
            }
            given_up = give_up();
        }
        None
    }

    /// Returns the chains of the buckets that a worker has filled, and takes its spare blocks back.
    fn finish(&self, buckets: &mut Buckets) -> Vec<Chain> {
        self.supply(&mut buckets.spares);
        let chains = buckets.finish();
        lock(&self.spares).append(&mut buckets.spares);
        chains
    }

    /// Fills up the spare blocks of a worker.
    fn supply(&self, spares: &mut Spares) {
        let mut all = lock(&self.spares);
        let missing = (self.len as usize + SPARES).saturating_sub(spares.len()).min(all.len());
        let rest = all.len() - missing;
        spares.extend(all.drain(rest..));
    }
}

impl Slice {
    /// Waits for a moment, or until there is something to do: chains to be taken, or buckets to be finished.
    fn wait(&self) -> MutexGuard<'_, State> {
        let is_idle = |state: &mut State| !state.is_settled() && state.unfinished.is_empty();
        let waited = self.changed.wait_timeout_while(lock(&self.state), PATIENCE, is_idle);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    /// Returns true if the chains of all tasks are there, or some will be missing for good.
    fn is_settled(&self) -> bool {
        self.failed || (self.left == 0 && self.unfinished.is_empty())
    }
}

/// What a worker does for a slice. It counts as done when this is dropped, also by a panic: the others don't wait for
/// ever.
struct Share<'a> {
    slice: &'a Slice,
    /// How many tasks.
    done: usize,
    part: Option<Vec<Chain>>,
    unfinished: Option<Buckets>,
    is_sound: bool,
}

impl<'a> Share<'a> {
    fn new(slice: &'a Slice, done: usize) -> Self {
        Self { slice, done, part: None, unfinished: None, is_sound: false }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.slice.state);
        state.left -= self.done;
        state.failed |= !self.is_sound;
        state.parts.extend(self.part.take());
        state.unfinished.extend(self.unfinished.take());
        if state.left == 0 || state.failed {
            self.slice.changed.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const BYTES: u64 = BUCKET as u64;

    /// A task puts one number into the first bucket of its slice, and the last one of its slice.
    fn collect(_: usize, _: u64, len: u32, buckets: &mut Buckets) {
        buckets.push(1);
        buckets.push(len - 1);
    }

    /// Takes the chains of `bytes`: how many there are, and how many of them have multiples.
    fn take(slices: &Slices, bytes: Range<u64>) -> Option<(usize, usize)> {
        let mut chains = Vec::new();
        let taken = slices.take(bytes, &mut Buckets::default(), &mut chains, collect, &mut || false);
        let counts = (chains.len(), chains.iter().filter(|(_, chain)| !chain.is_empty()).count());
        slices.give_back(&mut chains);
        matches!(taken, Taken::All).then_some(counts)
    }

    #[test]
    fn each_chain_is_taken_once() {
        let slices = Slices::new(5 * NUMBERS, 3, 4);
        assert_eq!(take(&slices, 5 * BYTES..7 * BYTES), Some((2, 1)));
        assert_eq!(take(&slices, 6 * BYTES..8 * BYTES), None);
        assert_eq!(take(&slices, 7 * BYTES..9 * BYTES), Some((2, 2)));
        assert_eq!(take(&slices, 5 * BYTES..6 * BYTES), None);
    }

    #[test]
    fn segments_that_share_a_bucket_have_its_chain_both() {
        let slices = Slices::new(0, 2, 1);
        assert_eq!(take(&slices, 0..BYTES - 1), Some((1, 1)));
        assert_eq!(take(&slices, BYTES - 1..2 * BYTES), Some((2, 2)));
        assert_eq!(take(&slices, 2 * BYTES..2 * BYTES + 1), Some((1, 1)));
    }

    #[test]
    fn slices_have_no_more_blocks_however_many_there_are() {
        const LEN: u64 = 3000;
        let slices = Slices::new(0, LEN, 2);
        let each_bucket = |_, _, _, buckets: &mut Buckets| {
            (0..LEN * NUMBERS).step_by(NUMBERS as usize).for_each(|number| buckets.push(number as u32 + 1));
        };
        let mut buckets = Buckets::default();
        for slice in 0..5 {
            let mut chains = Vec::new();
            let bytes = slice * LEN * BYTES..(slice + 1) * LEN * BYTES;
            slices.take(bytes, &mut buckets, &mut chains, each_bucket, &mut || false);
            slices.give_back(&mut chains);
            assert_eq!(lock(&slices.spares).len(), LEN as usize);
        }
    }

    #[test]
    fn a_slice_that_was_long_ago_is_found_again() {
        let slices = Slices::new(0, 1, 1);
        for slice in (0..5).chain(0..5).chain((0..3).rev()) {
            assert_eq!(take(&slices, slice * BYTES..(slice + 1) * BYTES), Some((1, 1)), "{slice}");
        }
    }

    #[test]
    fn a_worker_that_gives_up_leaves_its_tasks_to_the_next() {
        let slices = Slices::new(0, 1, 3);
        for _ in 0..2 {
            let given_up = slices.take(0..1, &mut Buckets::default(), &mut Vec::new(), collect, &mut || true);
            assert!(matches!(given_up, Taken::GivenUp));
        }
        // Two parts were done before.
        assert_eq!(take(&slices, 0..BYTES), Some((3, 3)));
    }

    /// Each task has a number in the first bucket and in the last one, so as many chains of both have numbers.
    #[test]
    fn no_worker_takes_chains_while_another_finishes_those_of_one_that_gave_up() {
        // So many that it takes a while to finish them.
        const LEN: u64 = 2000;
        for round in 0..20 {
            let slices = Slices::new(0, LEN, 8);
            let begin = Barrier::new(4);
            let worker = |bucket: u64, mut given_up: usize| {
                let (slices, begin) = (&slices, &begin);
                move || {
                    let mut chains = Vec::new();
                    begin.wait();
                    loop {
                        let mut give_up = || {
                            let gives_up = given_up > 0;
                            given_up = given_up.saturating_sub(1);
                            gives_up
                        };
                        let bytes = bucket * BYTES..(bucket + 1) * BYTES;
                        match slices.take(bytes, &mut Buckets::default(), &mut chains, collect, &mut give_up) {
                            Taken::All => return chains.iter().filter(|(_, chain)| !chain.is_empty()).count(),
                            Taken::Missing => panic!("no task fails"),
                            Taken::GivenUp => {}
                        }
                    }
                }
            };
            let taken = thread::scope(|scope| {
                let workers = [(0, 1), (1, 2), (2, 3), (LEN - 1, 4)]
                    .map(|(bucket, given_up)| scope.spawn(worker(bucket, (round + given_up) % 4)));
                workers.map(|worker| worker.join().unwrap())
            });
            assert!(taken[0] > 0 && taken == [taken[0], 0, 0, taken[0]], "{taken:?}");
        }
    }

    #[test]
    fn no_worker_waits_for_one_that_panicked() {
        let slices = Slices::new(0, 1, 2);
        let (began, panics) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                let task = |_, _, _, _: &mut Buckets| {
                    began.wait();
                    panics.wait();
                    panic!("a task that fails");
                };
                let took = || slices.take(0..1, &mut Buckets::default(), &mut Vec::new(), task, &mut || false);
                assert!(catch_unwind(AssertUnwindSafe(took)).is_err());
            });
            began.wait();
            let mut panics = Some(&panics);
            let give_up = &mut || {
                // The other's task is the last one.
                panics.take().map(Barrier::wait);
                false
            };
            let taken = slices.take(0..1, &mut Buckets::default(), &mut Vec::new(), collect, give_up);
            assert!(matches!(taken, Taken::Missing));
            other.join().unwrap();
        });
        assert_eq!(take(&slices, BYTES..2 * BYTES), Some((1, 1)));
    }
}
