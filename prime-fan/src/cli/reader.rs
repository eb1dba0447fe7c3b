//! The program that reads the standard output. When it closes its end (`| head -1`), a search that finds nothing more to
//! write would not notice.

#[cfg(unix)]
pub(crate) use unix::Reader;

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::future::pending;
    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use tokio::io::Interest;
    use tokio::net::unix::pipe::Sender;

    /// Watches the standard output, if that is a pipe or a socket.
    pub(crate) struct Reader(Option<Sender>);

    impl Reader {
        /// To be called in an event loop.
        pub(crate) fn of_stdout() -> Self {
            Self(watched().ok().flatten())
        }

        /// There is none, or its end is noticed when a write fails.
        pub(crate) fn none() -> Self {
            Self(None)
        }

        /// Completes when the other end is closed, or never.
        pub(crate) async fn closed(&self) {
            // The readiness is not cleared: if it is for something else, a write will fail one day.
            if let Some(stdout) = &self.0
                && stdout.ready(Interest::ERROR).await.is_ok()
                && is_closed()
            {
                return;
            }
            pending().await
        }
    }

    fn watched() -> io::Result<Option<Sender>> {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        let stdout = File::from(stdout);
        let kind = stdout.metadata()?.file_type();
        let has_reader = kind.is_fifo() || kind.is_socket();
        // Without the check that it does not block: nothing is written to it here.
        has_reader.then(|| Sender::from_owned_fd_unchecked(stdout.into())).transpose()
    }

    fn is_closed() -> bool {
        let stdout = io::stdout();
        let mut stdout = [PollFd::new(&stdout, PollFlags::OUT)];
        let polled = poll(&mut stdout, Some(&Timespec::default()));
        polled.is_ok() && stdout[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }
}

/// It is not watched: a write fails.
#[cfg(not(unix))]
pub(crate) struct Reader;

#[cfg(not(unix))]
impl Reader {
    pub(crate) fn of_stdout() -> Self {
        Self
    }

    pub(crate) fn none() -> Self {
        Self
    }

    pub(crate) async fn closed(&self) {
        std::future::pending().await
    }
}
