//! Which file a file is, by whatever name or stream it is reached.

use std::fs::Metadata;

/// A file that keeps what is written to it, so that reading it while writing to it may have no end.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl Identity {
    /// None: what is written there is not what is read there, as with a terminal, or it is read once, as from a pipe.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};

        let keeps = metadata.is_file() || metadata.file_type().is_block_device();
        keeps.then(|| Self { device: metadata.dev(), inode: metadata.ino() })
    }

    /// That of a stream which is open, such as the standard output; None as well if it is closed.
    pub(crate) fn of_stream(stream: impl std::os::fd::AsFd) -> Option<Self> {
        let stream = stream.as_fd().try_clone_to_owned().ok()?;
        Self::of(&std::fs::File::from(stream).metadata().ok()?)
    }
}

/// The standard library tells no identities there.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {}

#[cfg(not(unix))]
impl Identity {
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    pub(crate) fn of_stream<S>(_: S) -> Option<Self> {
        None
    }
}
