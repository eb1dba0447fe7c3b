//! Where a pipeline or a pool lives: its System and its arbiter, and whether these still run.

use actix::{Arbiter, System};
use tokio::runtime::Handle;

use crate::error::StartError;
use crate::util::panic::catch;

/// A System and one of its arbiters: the one on which a pipeline's actors live, or the first one for a pool.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    system: System,
    arbiter: actix::ArbiterHandle,
}

impl Host {
    /// The arbiter of this thread, on which actors can be started.
    ///
    /// To be called before an actor is started: actix panics if there is no System, and if it was stopped, actix
    /// returns an address whose actor never runs.
    pub(crate) fn of_actors() -> Result<Self, StartError> {
        let (Some(system), Some(arbiter)) = (System::try_current(), Arbiter::try_current()) else {
            return Err(StartError::NoSystem);
        };
        // Outside of `block_on` the arbiter's thread has no runtime to spawn on.
        Handle::try_current().map_err(|_| StartError::NoSystem)?;
        let host = Self { system, arbiter };
        if !host.is_running() {
            return Err(StartError::SystemStopped);
        }
        // The runtime may be another one, entered on the arbiter's thread, where actors can't be spawned.
        catch(|| drop(actix::spawn(async {}))).map_err(|_| StartError::NoSystem)?;
        Ok(host)
    }

    /// The System that this thread belongs to, whether its loop runs already or not.
    pub(crate) fn of_thread() -> Result<Self, StartError> {
        let system = System::try_current().ok_or(StartError::NoSystem)?;
        let arbiter = system.arbiter().clone();
        let host = Self { system, arbiter };
        if host.is_running() { Ok(host) } else { Err(StartError::SystemStopped) }
    }

    pub(crate) fn system(&self) -> &System {
        &self.system
    }

    /// Returns true if neither the System nor the arbiter was stopped or dropped.
    ///
    /// After `System::stop` it stays true until the System's controller has stopped the arbiters.
    pub(crate) fn is_running(&self) -> bool {
        // The workers' queue is served on the System's first arbiter, the actors live on the other one.
        self.system.arbiter().spawn_fn(|| ()) && self.arbiter.spawn_fn(|| ())
    }
}
