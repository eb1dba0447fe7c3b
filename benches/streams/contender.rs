//! The contenders: how the handler gets its results.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Pipeline,
    /// With actix-web's default, 512 threads divided by the number of cores.
    Block,
    /// With as many threads as cores.
    BlockOnCores,
}

impl Contender {
    pub(crate) const ALL: [Self; 3] = [Self::Pipeline, Self::Block, Self::BlockOnCores];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pipeline => "a pipeline per request",
            Self::Block => "web::block per item, default threads",
            Self::BlockOnCores => "web::block per item, a thread per core",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|each| each.name() == name).expect("it was named by the same program")
    }
}
