//! Streams that refuse where others make their reader or writer wait. A process that shares a terminal or a pipe can set
//! that for everyone who has it, so it is no error here: what was refused is done as soon as the stream is ready.

use std::io;

/// What a stream is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready {
    ToRead,
    ToWrite,
}

/// Reads or writes, again and again while the stream refuses. `act` must not have taken anything when it fails.
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
            // Ready, or no other end is left, as the next attempt will tell.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn blocking<S, R>(_: S, _: Ready, mut act: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    act()
}

/// The standard input, which waits for what is to be read.
pub(crate) struct Stdin;

impl io::Read for Stdin {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let stdin = io::stdin();
        blocking(&stdin, Ready::ToRead, || (&stdin).read(room))
    }
}
