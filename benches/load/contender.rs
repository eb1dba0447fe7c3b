//! The contenders: which pool does the work, and with how many threads.

use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) how: How,
    pub(crate) threads: usize,
    /// How the table describes the number of threads.
    threads_are: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// No work: only pings are sent.
    Idle,
    /// This crate's pool.
    Fan,
    Block,
    SyncArbiter,
}

impl How {
    const ALL: [Self; 4] = [Self::Idle, Self::Fan, Self::Block, Self::SyncArbiter];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "no work",
            Self::Fan => "actix-fan",
            Self::Block => "web::block",
            Self::SyncArbiter => "bare SyncArbiter",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|how| how.name() == name).expect("it was named by the same program")
    }
}

impl Contender {
    /// All contenders, on a machine with this number of cores.
    pub(crate) fn all(cores: usize) -> Vec<Self> {
        let mut all = vec![Self { how: How::Idle, threads: 1, threads_are: "" }];
        let spared = (cores - 1).max(1);
        for (threads, threads_are) in [(cores, "one thread per core"), (spared, "one fewer, at least 1")] {
            all.extend([How::Fan, How::Block, How::SyncArbiter].map(|how| Self { how, threads, threads_are }));
        }
        // actix-web's own default.
        let threads = (512 / cores).max(1);
        all.push(Self { how: How::Block, threads, threads_are: "as many as by default" });
        all
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.how.name())?;
        if self.how != How::Idle {
            write!(f, ", {} ({})", self.threads_are, self.threads)?;
        }
        Ok(())
    }
}
