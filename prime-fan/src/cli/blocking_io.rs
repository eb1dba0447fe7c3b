//! Reads and writes that block even if the standard input or output is non-blocking. Another process that shares the
//! terminal or the pipe may have set `O_NONBLOCK`, so `WouldBlock` is no error here: the call waits and tries again.

use std::io;

/// What to wait for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready {
    ToRead,
    ToWrite,
}

/// Calls `act`, which reads or writes, until it does not fail with `WouldBlock`. When it fails, it must not have read
/// or written any byte.
#[cfg(unix)]
pub(crate) fn blocking<R>(
    stream: impl std::os::fd::AsFd,
    ready: Ready,
    mut act: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;

    let flags = match ready {
        Ready::ToRead => PollFlags::IN,
        Ready::ToWrite => PollFlags::OUT,
    };
    loop {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        match poll(&mut [PollFd::new(&stream, flags)], None) {
            // Ready, or the other end was closed, which the next attempt reports.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn blocking<S, R>(_: S, _: Ready, mut act: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    act()
}

/// The standard input; a read blocks until there is input.
pub(crate) struct Stdin;

impl io::Read for Stdin {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let stdin = io::stdin();
        blocking(&stdin, Ready::ToRead, || (&stdin).read(room))
    }
}
