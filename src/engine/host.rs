//! Where a pipeline or a pool lives: its System and its arbiter, and whether these still run.

use actix::{Arbiter, ArbiterHandle, System};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::engine::home;
use crate::error::StartError;
use crate::util::panic::catch;

/// Where a pipeline's actors live; for a pool, which System it ends with.
#[derive(Clone, Debug)]
pub(crate) enum Host {
    /// On an arbiter of the application. For a pool that is the System's first one.
    Arbiter(System, ArbiterHandle),
    /// On an arbiter of this crate's System.
    Detached,
    /// In a `LocalSet` of plain tokio; a pool without a System.
    None,
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
            (Some(system), Some(arbiter)) => Self::Arbiter(system, arbiter),
            // A server of actix-web under tokio has such a runtime, and a `LocalSet`, on each of its threads.
            _ if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread => Self::None,
            _ => return Err(StartError::NoSystem),
        };
        let host = host.running()?;
        // There may be no `LocalSet`, or the runtime is another one, entered on the arbiter's thread. tokio can't be
        // asked whether there is one, and panics if there is none, so that the panic hook runs.
        catch(|| drop(actix::spawn(async {}))).map_err(|_| StartError::NoSystem)?;
        Ok(host)
    }

    /// An arbiter of this crate's System, which may not have started yet.
    pub(crate) fn detached() -> Result<Self, StartError> {
        Self::Detached.running()
    }

    /// The System that this thread belongs to, if it belongs to one, whether its loop runs already or not.
    pub(crate) fn of_thread() -> Result<Self, StartError> {
        let host = match System::try_current() {
            Some(system) => {
                let first = system.arbiter().clone();
                Self::Arbiter(system, first)
            }
            None => Self::None,
        };
        host.running()
    }

    fn running(self) -> Result<Self, StartError> {
        if self.is_running() { Ok(self) } else { Err(StartError::SystemStopped) }
    }

    /// The System of the application.
    pub(crate) fn system(&self) -> Option<&System> {
        match self {
            Self::Arbiter(system, _) => Some(system),
            Self::Detached | Self::None => None,
        }
    }

    /// Returns true if neither the System nor the arbiter was stopped or dropped.
    ///
    /// After `System::stop` it stays true until the System's controller has stopped the arbiters.
    pub(crate) fn is_running(&self) -> bool {
        match self {
            // The System's first arbiter ends with the System, the actors live on the other one.
            Self::Arbiter(system, arbiter) => system.arbiter().spawn_fn(|| ()) && arbiter.spawn_fn(|| ()),
            Self::Detached => home::is_running(),
            Self::None => true,
        }
    }
}
