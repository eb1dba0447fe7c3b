//! What the streams, subjects and consumers are called.
//!
//! The version of the format is a part of the names. So releases with different formats don't see each other's messages.

use std::fmt;

use rand::RngExt;
use rand::distr::Alphanumeric;

use crate::backend::kinds::Kind;

/// Jobs that no node has settled.
pub(super) const JOBS: &str = "FAN2_JOBS";
pub(super) const JOB_SUBJECTS: &str = "fan2.job.>";
/// Outcomes: the journal of each run.
pub(super) const RESULTS: &str = "FAN2_RESULTS";
pub(super) const RESULT_SUBJECTS: &str = "fan2.res.>";
/// The bucket of runs: which coordinator has which, and which are cancelled.
pub(super) const RUNS: &str = "FAN2_RUNS";
pub(super) const RUNS_STREAM: &str = "KV_FAN2_RUNS";
pub(super) const RUNS_SUBJECTS: &str = "$KV.FAN2_RUNS.>";

/// Identifies a run: 1 to 64 of `A-Z`, `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RunName(String);

impl RunName {
    /// 22 characters, which no one can guess.
    pub(super) fn random() -> Self {
        Self(random(22))
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let is_good = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_good.then(|| Self(name.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn random(characters: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(characters).map(char::from).collect()
}

/// The durable consumer of a kind's jobs, which all nodes share that have the kind.
pub(super) fn consumer(kind: &Kind) -> String {
    format!("nodes-{}", kind.joined("-"))
}

/// All jobs of a kind.
pub(super) fn jobs_of_kind(kind: &Kind) -> String {
    format!("fan2.job.{}.>", kind.joined("."))
}

/// All jobs of a run.
pub(super) fn jobs_of_run(kind: &Kind, run: &RunName) -> String {
    format!("fan2.job.{}.{run}.*", kind.joined("."))
}

pub(super) fn job(kind: &Kind, run: &RunName, first: u64) -> String {
    format!("fan2.job.{}.{run}.{first}", kind.joined("."))
}

/// All outcomes of a run.
pub(super) fn results_of_run(run: &RunName) -> String {
    format!("fan2.res.{run}.*")
}

/// What nodes tell the coordinator of a run beside outcomes. No stream keeps it.
pub(super) fn nodes_of_run(run: &RunName) -> String {
    format!("fan2.node.{run}")
}

pub(super) fn result(run: &RunName, first: u64) -> String {
    format!("fan2.res.{run}.{first}")
}

/// The parts of a job's subject.
pub(super) fn parse_job(subject: &str) -> Option<(Kind, RunName, u64)> {
    let mut parts = subject.strip_prefix("fan2.job.")?.split('.');
    let kind = Kind::parse(&format!("{}/{}", parts.next()?, parts.next()?))?;
    let (run, first) = (RunName::parse(parts.next()?)?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((kind, run, first))
}

/// The index in the subject of a job or of outcomes.
pub(super) fn first_of(subject: &str) -> Option<u64> {
    subject.rsplit('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_subject_says_what_it_is() {
        let (kind, run) = (Kind::parse("primes/1").unwrap(), RunName::random());
        let subject = job(&kind, &run, 77);
        assert_eq!(parse_job(&subject), Some((kind, run, 77)));
        assert_eq!(first_of(&subject), Some(77));
        for bad in ["fan2.job.primes.1.x", "fan2.job.primes.1.x.y", "fan2.job.primes.1.x.7.8", "fan2.res.x.7"] {
            assert_eq!(parse_job(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_runs_name_can_be_a_part_of_a_subject() {
        assert_eq!(RunName::random().as_str().len(), 22);
        for bad in ["", "a.b", "a b", "*", ">", "ü", &"a".repeat(65)] {
            assert_eq!(RunName::parse(bad), None, "{bad}");
        }
    }
}
