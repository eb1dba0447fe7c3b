//! The identity of a file, by which it is recognised under different names and as a stream.

use std::fs::Metadata;

/// The identity of a regular file or a block device. A program that reads one while writing to it may never reach its
/// end.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl Identity {
    /// `None` for other files: a terminal or a pipe does not return to the reader what the same program writes.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};

        let keeps = metadata.is_file() || metadata.file_type().is_block_device();
        keeps.then(|| Self { device: metadata.dev(), inode: metadata.ino() })
    }

    /// Returns the identity of an open stream such as the standard output; `None` also if the stream is closed.
    pub(crate) fn of_stream(stream: impl std::os::fd::AsFd) -> Option<Self> {
        let stream = stream.as_fd().try_clone_to_owned().ok()?;
        Self::of(&std::fs::File::from(stream).metadata().ok()?)
    }
}

/// The standard library has no file identities on these systems.
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
