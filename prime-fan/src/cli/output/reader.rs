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
    use std::time::Duration;

    use actix::clock::sleep;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// The time between two looks at whether the other end is closed. It is doubled after each, since a reader that wants
    /// little goes soon. Readiness from tokio would not do on each system: its interest in errors reports pipes on Linux,
    /// but not sockets, and neither of them on macOS and the BSDs.
    const FIRST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_millis(100);

    /// Watches the standard output, if that is a pipe or a socket.
    pub(crate) struct Reader(Option<File>);

    impl Reader {
        pub(crate) fn of_stdout() -> Self {
            Self::of(io::stdout())
        }

        fn of(output: impl AsFd) -> Self {
            Self(watched(output).ok().flatten())
        }

        /// There is none, or its end is noticed when a write fails.
        pub(crate) fn none() -> Self {
            Self(None)
        }

        /// Completes when the other end is closed, or never.
        pub(crate) async fn closed(&self) {
            let Some(output) = &self.0 else { return pending().await };
            let mut interval = FIRST;
            while !is_closed(output) {
                sleep(interval).await;
                interval = LONGEST.min(2 * interval);
            }
        }
    }

    fn watched(output: impl AsFd) -> io::Result<Option<File>> {
        let output = File::from(output.as_fd().try_clone_to_owned()?);
        let kind = output.metadata()?.file_type();
        Ok((kind.is_fifo() || kind.is_socket()).then_some(output))
    }

    fn is_closed(output: &File) -> bool {
        let mut output = [PollFd::new(output, PollFlags::OUT)];
        let polled = poll(&mut output, Some(&Timespec::default()));
        polled.is_ok() && output[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }

    #[cfg(test)]
    mod tests {
        use std::os::unix::net::UnixStream;

        use futures::FutureExt;

        use super::*;

        #[actix::test]
        async fn a_pipe_and_a_socket_are_watched_until_the_other_end_is_closed() {
            async fn assert_watched(ours: impl AsFd, theirs: impl Sized) {
                let reader = Reader::of(ours);
                assert!(reader.closed().now_or_never().is_none());
                drop(theirs);
                reader.closed().await;
            }
            let (theirs, ours) = io::pipe().unwrap();
            assert_watched(ours, theirs).await;
            let (theirs, ours) = UnixStream::pair().unwrap();
            assert_watched(ours, theirs).await;
        }

        #[actix::test]
        async fn the_end_is_noticed_while_it_is_waited_for() {
            let (theirs, ours) = UnixStream::pair().unwrap();
            let reader = Reader::of(ours);
            let mut closed = Box::pin(reader.closed());
            assert!(closed.as_mut().now_or_never().is_none());
            drop(theirs);
            closed.await;
        }

        #[actix::test]
        async fn a_file_has_no_reader() {
            let reader = Reader::of(tempfile::tempfile().unwrap());
            assert!(reader.closed().now_or_never().is_none());
            assert!(reader.0.is_none());
        }
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
