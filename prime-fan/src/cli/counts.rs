//! The numbers about a search, and the words that go with them.

/// What a search is about, in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nouns {
    /// What is found: one and many.
    pub(crate) found: [&'static str; 2],
    /// The items that are fanned out: one and many.
    pub(crate) items: [&'static str; 2],
}

/// What has come of a search so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Numbers.
    pub(crate) tested: u64,
    /// Numbers, or pairs, that were looked for.
    pub(crate) found: u64,
    /// Words of the input that are no numbers.
    pub(crate) bad: u64,
    /// Items whose test panicked.
    pub(crate) failed: u64,
    /// How far it is on the way to the `total` of the search.
    pub(crate) done: u64,
}
