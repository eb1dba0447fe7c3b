//! Where a pipeline or a pool lives: its System and its arbiter, and whether these still run.

use actix::{Arbiter, System};
use tokio::runtime::Handle;

use crate::error::StartError;
use crate::util::panic::catch;

/// The System, and the arbiter on which the actors of a pipeline live, or the first one of a pool's System.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    system: System,
    arbiter: actix::ArbiterHandle,
}

impl Host {
    /// The arbiter of this thread, on which actors can be started.
    ///
    /// actix panics where there is no System, and starts actors into the void where it was stopped.
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
    /// A System that was told to stop goes on until its controller has passed the word on to the arbiters.
    pub(crate) fn is_running(&self) -> bool {
        // The workers' queue is served on the System's first arbiter, the actors live on the other one.
        self.system.arbiter().spawn_fn(|| ()) && self.arbiter.spawn_fn(|| ())
    }
}
