//! Sorts multiples by the part of the range in which they lie, so that each part is struck out while it is in a cache.
//!
//! A bucket takes the multiples in 8 KiB of the sieve, as numbers of bits: two bytes per multiple. The latest ones are in
//! its stage, and a full stage is copied to the last block of the bucket's chain. Without stages, each multiple would be
//! written to another line of a memory that fits into no cache.

use std::mem;

use super::wheel::{INDEX, NONE};

/// The bytes of the sieve that belong to a bucket: as many as have their bits counted by a `u16`.
pub(super) const BUCKET: usize = 1 << 13;

/// The numbers that belong to a bucket.
pub(super) const NUMBERS: u64 = 30 * BUCKET as u64;

/// The multiples of a stage: two lines of a cache. The stages of all buckets fit into a second-level cache.
const STAGE: usize = 64;

/// The multiples of a block: it takes 2 KiB.
const MULTIPLES: usize = STAGES * STAGE;
const STAGES: usize = 16;

/// A block of multiples in the same bucket.
#[derive(Clone)]
pub(super) struct Block {
    len: u16,
    multiples: [u16; MULTIPLES],
}

/// The blocks of a bucket.
pub(super) type Chain = Vec<Box<Block>>;

/// Blocks for later use.
pub(super) type Spares = Vec<Box<Block>>;

/// Strikes out the multiples of a chain in the bytes of its bucket.
pub(super) fn strike(chain: &Chain, bytes: &mut [u8; BUCKET]) {
    for block in chain {
        for &multiple in &block.multiples[..usize::from(block.len)] {
            bytes[usize::from(multiple >> 3)] &= !(1 << (multiple & 7));
        }
    }
}

/// The latest multiples of a bucket.
#[derive(Clone)]
#[repr(align(128))]
struct Stage([u16; STAGE]);

/// The buckets of one worker.
#[derive(Default)]
pub(super) struct Buckets {
    /// How many multiples the stage of each bucket has.
    fill: Vec<u8>,
    stages: Vec<Stage>,
    /// The last block of each bucket.
    last: Vec<Option<Box<Block>>>,
    /// How many stages that block has taken: beside each other, since to look into the block takes longer than to write.
    stages_of_last: Vec<u8>,
    /// The other blocks, which are full.
    full: Vec<Chain>,
    /// Empty blocks.
    pub(super) spares: Spares,
}

impl Buckets {
    /// Prepares `count` empty buckets.
    pub(super) fn ready(&mut self, count: usize) {
        self.fill.clear();
        self.fill.resize(count, 0);
        self.stages.resize(count, Stage([0; STAGE]));
        self.last.clear();
        self.last.resize_with(count, || None);
        self.stages_of_last.clear();
        self.stages_of_last.resize(count, STAGES as u8);
        self.full.clear();
        self.full.resize_with(count, Chain::new);
    }

    /// Puts a number, counted from the beginning of the first bucket, into its bucket, if it is on the wheel.
    #[inline(always)]
    pub(super) fn push(&mut self, number: u32) {
        let byte = number / 30;
        let index = INDEX[(number - 30 * byte) as usize];
        let bucket = byte as usize / BUCKET;
        let multiple = (byte as usize % BUCKET * 8) as u16 | u16::from(index % NONE);
        let fill = self.fill[bucket];
        // A branch would be mispredicted for every other number. The next multiple overwrites one beside the wheel.
        self.stages[bucket].0[usize::from(fill) % STAGE] = multiple;
        let fill = fill + u8::from(index != NONE);
        self.fill[bucket] = fill;
        if usize::from(fill) == STAGE {
            self.unload(bucket);
        }
    }

    /// Puts a multiple on the wheel into its bucket: its byte, and the index of its bit.
    #[inline(always)]
    pub(super) fn push_bit(&mut self, byte: u32, index: u8) {
        let bucket = byte as usize / BUCKET;
        let fill = self.fill[bucket];
        self.stages[bucket].0[usize::from(fill) % STAGE] = (byte as usize % BUCKET * 8) as u16 | u16::from(index);
        self.fill[bucket] = fill + 1;
        if usize::from(fill) + 1 == STAGE {
            self.unload(bucket);
        }
    }

    /// Copies a full stage to the last block of its bucket.
    #[inline(never)]
    fn unload(&mut self, bucket: usize) {
        self.fill[bucket] = 0;
        let stage = &self.stages[bucket].0;
        let count = &mut self.stages_of_last[bucket];
        if usize::from(*count) == STAGES {
            *count = 0;
            let block = self.spares.pop().unwrap_or_else(Block::new);
            if let Some(mut full) = self.last[bucket].replace(block) {
                full.len = MULTIPLES as u16;
                self.full[bucket].push(full);
            }
        }
        if let Some(block) = &mut self.last[bucket] {
            block.multiples.as_chunks_mut().0[usize::from(*count)] = *stage;
        }
        *count += 1;
    }

    /// Returns the chains of all buckets, which are empty then.
    pub(super) fn finish(&mut self) -> Vec<Chain> {
        for bucket in 0..self.full.len() {
            let rest = usize::from(self.fill[bucket]);
            if rest > 0 {
                self.unload(bucket);
            }
            if let Some(mut last) = self.last[bucket].take() {
                let unused = if rest > 0 { STAGE - rest } else { 0 };
                last.len = (STAGE * usize::from(self.stages_of_last[bucket]) - unused) as u16;
                self.full[bucket].push(last);
            }
        }
        mem::take(&mut self.full)
    }
}

impl Block {
    #[inline(never)]
    fn new() -> Box<Self> {
        Box::new(Self { len: 0, multiples: [0; MULTIPLES] })
    }
}
