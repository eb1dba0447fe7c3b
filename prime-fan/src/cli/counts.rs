//! The counts of a search, and the nouns for them.

/// The nouns for what a search finds and for its items.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nouns {
    /// What is found: singular and plural.
    pub(crate) found: [&'static str; 2],
    /// The items of the pipeline: singular and plural.
    pub(crate) items: [&'static str; 2],
}

/// The counts of a search so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Numbers tested.
    pub(crate) tested: u64,
    /// Numbers or pairs found.
    pub(crate) found: u64,
    /// Words of the input that are not numbers.
    pub(crate) bad: u64,
    /// Items whose test panicked.
    pub(crate) failed: u64,
    /// How much is done, in the unit of `Search::total`.
    pub(crate) done: u64,
}
