//! Where a pipeline or a pool lives: its System and its arbiter, and whether these still run.

use actix::{Arbiter, System};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::error::StartError;
use crate::util::panic::catch;

/// The arbiter on which a pipeline's actors live, and its System; for a pool, the System and its first arbiter. Under
/// plain tokio there is neither.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    system: Option<(System, actix::ArbiterHandle)>,
}

impl Host {
    /// The arbiter of this thread, on which actors can be started, or a tokio `LocalSet`, which serves as well.
    ///
    /// To be called before an actor is started: actix panics if there is neither, and if the System was stopped, actix
    /// returns an address whose actor never runs.
    pub(crate) fn of_actors() -> Result<Self, StartError> {
        // Outside of `block_on` an arbiter's thread has no runtime to spawn on.
        let runtime = Handle::try_current().map_err(|_| StartError::NoSystem)?;
        let host = match (System::try_current(), Arbiter::try_current()) {
            (Some(system), Some(arbiter)) => Self { system: Some((system, arbiter)) },
            // A server of actix-web under tokio has such a runtime, and a `LocalSet`, on each of its threads.
            _ if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread => Self { system: None },
            _ => return Err(StartError::NoSystem),
        };
        if !host.is_running() {
            return Err(StartError::SystemStopped);
        }
        // There may be no `LocalSet`, or the runtime is another one, entered on the arbiter's thread.
        catch(|| drop(actix::spawn(async {}))).map_err(|_| StartError::NoSystem)?;
        Ok(host)
    }

    /// The System that this thread belongs to, if it belongs to one, whether its loop runs already or not.
    pub(crate) fn of_thread() -> Result<Self, StartError> {
        let system = System::try_current().map(|system| {
            let first = system.arbiter().clone();
            (system, first)
        });
        let host = Self { system };
        if host.is_running() { Ok(host) } else { Err(StartError::SystemStopped) }
    }

    pub(crate) fn system(&self) -> Option<&System> {
        self.system.as_ref().map(|(system, _)| system)
    }

    /// Returns true if neither the System nor the arbiter was stopped or dropped.
    ///
    /// After `System::stop` it stays true until the System's controller has stopped the arbiters.
    pub(crate) fn is_running(&self) -> bool {
        self.system.as_ref().is_none_or(|(system, arbiter)| {
            // The System's first arbiter ends with the System, the actors live on the other one.
            system.arbiter().spawn_fn(|| ()) && arbiter.spawn_fn(|| ())
        })
    }
}
