//! The destination of the results: the standard output, a stream, a file that is created at the end, or one that is
//! completed.

mod continued;
mod reader;

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use continued::Continued;

use crate::cli::args::{Settings, is_stdout};
use crate::cli::blocking_io::{Ready, blocking};
use crate::cli::exit::Failure;
use crate::cli::file_attributes;
use crate::cli::messages::say;
use crate::cli::shutdown::Shutdown;
use crate::cli::status_lines::suspend;
use crate::parse::identity::Identity;
use crate::parse::input::shown;

pub(crate) use reader::Reader;

const BUFFER: usize = 64 * 1024;

/// A buffered writer of result lines. [`flush`](Self::flush) writes what is in the buffer.
pub(crate) struct Output(BufWriter<Target>);

enum Target {
    Stdout {
        stdout: Stdout,
        is_terminal: bool,
    },
    /// A device or a named pipe, which can't be replaced by a file.
    Stream {
        path: PathBuf,
        file: File,
    },
    /// A temporary file, which is renamed to `path` when it is complete.
    File {
        path: PathBuf,
        file: NamedTempFile,
    },
    /// A file that has the beginning of the results.
    Continued {
        path: PathBuf,
        file: Continued,
    },
}

/// Returns the path that results are written to; `None` for the standard output.
fn file(settings: &Settings) -> Option<&Path> {
    settings.output.as_deref().filter(|path| !is_stdout(path))
}

/// Returns the identity of the file that results will be written to, if it exists already.
pub(crate) fn identity(settings: &Settings) -> Option<Identity> {
    match file(settings) {
        Some(path) => fs::metadata(path).ok().as_ref().and_then(Identity::of),
        None => Identity::of_stream(io::stdout()),
    }
}

impl Output {
    /// Opens the destination that the settings name.
    pub(crate) fn to(settings: &Settings, shutdown: &Shutdown) -> Result<Self, Failure> {
        let Some(path) = file(settings) else { return Ok(Self::stdout()) };
        if settings.continues {
            let path = path.to_owned();
            return match Continued::open(&path) {
                Ok(file) => Ok(Self::new(Target::Continued { path, file })),
                Err(source) => Err(Failure::Continue { path, source }),
            };
        }
        match Target::open(path, shutdown) {
            Ok((target, lost)) => {
                if !settings.quiet && !lost.is_empty() {
                    let (path, lost) = (shown(path), lost.join(", "));
                    say(format_args!(
                        "replacing {path} does not keep: {lost}; `> {path}` writes into the file instead"
                    ));
                }
                Ok(Self::new(target))
            }
            Err(source) => Err(Failure::Output { path: path.to_owned(), source }),
        }
    }

    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Self::new(Target::Stdout { stdout, is_terminal })
    }

    fn new(target: Target) -> Self {
        Self(BufWriter::with_capacity(BUFFER, target))
    }

    /// Returns the identity of the file that is written to during the search. `None` if there is none, or if the file
    /// is only created at the end.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match self.0.get_ref() {
            Target::Stdout { stdout, .. } => Identity::of_stream(stdout),
            Target::Stream { file, .. } => file.metadata().ok().as_ref().and_then(Identity::of),
            Target::Continued { file, .. } => file.metadata().ok().as_ref().and_then(Identity::of),
            Target::File { .. } => None,
        }
    }

    /// Returns what tells that the results have no reader any more.
    pub(crate) fn reader(&self) -> Reader {
        match self.0.get_ref() {
            Target::Stdout { .. } => Reader::of_stdout(),
            Target::Stream { .. } | Target::File { .. } | Target::Continued { .. } => Reader::none(),
        }
    }

    /// The failure of a write to an output that its reader has closed.
    pub(crate) fn closed(&self) -> Failure {
        self.failure(io::ErrorKind::BrokenPipe.into())
    }

    pub(crate) fn write(&mut self, lines: &[u8]) -> Result<(), Failure> {
        self.0.write_all(lines).map_err(|error| self.failure(error))
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(|error| self.failure(error))
    }

    /// Completes the output: flushes the buffer and gives the temporary file its name.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        self.close(true)
    }

    /// Completes the output as [`commit`](Self::commit) does, of a search that was cut short.
    pub(crate) fn commit_part(self) -> Result<(), Failure> {
        self.close(false)
    }

    fn close(mut self, is_whole: bool) -> Result<(), Failure> {
        self.flush()?;
        match self.0.into_parts().0 {
            Target::Stdout { .. } | Target::Stream { .. } => Ok(()),
            Target::File { path, file } => {
                // Without this, a crash of the system could leave an empty file under the new name.
                let synced = file.as_file().sync_all();
                let replaced = synced.and_then(|()| file.persist(&path).map_err(|error| error.error));
                replaced.map(drop).map_err(|source| Failure::Output { path, source })
            }
            Target::Continued { path, file } => {
                file.close(is_whole).map_err(|source| Failure::Continue { path, source })
            }
        }
    }

    /// Returns true if the results are written into a file for good: then none may come after one that is missing.
    pub(crate) fn is_continued(&self) -> bool {
        matches!(self.0.get_ref(), Target::Continued { .. })
    }

    /// Discards the output, because it will not be complete. Returns the path of the file that was not written, if
    /// there is one.
    pub(crate) fn abandon(self) -> Option<PathBuf> {
        // The buffer is dropped without a write: the temporary file is removed, and on a stream all valid results were
        // flushed.
        match self.0.into_parts().0 {
            Target::Stdout { .. } | Target::Stream { .. } | Target::Continued { .. } => None,
            Target::File { path, .. } => Some(path),
        }
    }

    fn failure(&self, source: io::Error) -> Failure {
        match self.0.get_ref() {
            Target::Stdout { .. } => Failure::Stdout(source),
            Target::Stream { path, .. } | Target::File { path, .. } => Failure::Output { path: path.clone(), source },
            Target::Continued { path, .. } => Failure::Continue { path: path.clone(), source },
        }
    }
}

impl Target {
    /// Opens `path`. Also returns the attributes of an existing file that can't be kept.
    fn open(path: &Path, shutdown: &Shutdown) -> io::Result<(Self, Vec<&'static str>)> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Reduced by the umask.
                return Ok((Self::beside(behind_link(path)?, 0o666, shutdown)?, Vec::new()));
            }
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // A file that the user may not write to is not replaced either.
        let file = File::options().append(true).open(path)?;
        if !metadata.is_file() || is_handle(path) {
            return Ok((Self::Stream { path: path.to_owned(), file }, Vec::new()));
        }
        // A symbolic link stays; its target is replaced. No other user may open the new file until it has the
        // permissions of the old one.
        let target = Self::beside(fs::canonicalize(path)?, 0o600, shutdown)?;
        let lost = match &target {
            Self::File { file: new, .. } => file_attributes::keep(&file, &file.metadata()?, new.as_file()),
            Self::Stdout { .. } | Self::Stream { .. } | Self::Continued { .. } => Vec::new(),
        };
        Ok((target, lost))
    }

    fn beside(path: PathBuf, mode: u32, shutdown: &Shutdown) -> io::Result<Self> {
        let file = shutdown.create_temporary(|| beside(&path, mode))?;
        Ok(Self::File { path, file })
    }
}

/// Returns true if the path names an open file descriptor, to which other processes may write as well.
fn is_handle(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

/// Follows symbolic links whose target does not exist yet. Returns the path itself if it is no link.
fn behind_link(path: &Path) -> io::Result<PathBuf> {
    match fs::read_link(path) {
        Ok(target) => behind_link(&path.parent().unwrap_or(Path::new("")).join(target)),
        Err(_) if path.as_os_str().as_encoded_bytes().ends_with(b"/") => Err(io::ErrorKind::IsADirectory.into()),
        Err(_) => Ok(path.to_owned()),
    }
}

/// Creates a temporary file that can be renamed to `path`: in the same folder, on Unix with the permissions `mode`.
#[cfg_attr(not(unix), expect(unused_variables))]
fn beside(path: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(folder)?;
    let mut builder = Builder::new();
    builder.prefix(".prime-fan-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions({
        use std::os::unix::fs::PermissionsExt;
        std::fs::Permissions::from_mode(mode)
    });
    // The kind alone: the full error names the temporary file, which means nothing to the user.
    builder.tempfile_in(folder).map_err(|error| error.kind().into())
}

impl Write for Target {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout { stdout, is_terminal: true } => {
                suspend(|| blocking(&*stdout, Ready::ToWrite, || (&*stdout).write(lines)))
            }
            Self::Stdout { stdout, .. } => blocking(&*stdout, Ready::ToWrite, || (&*stdout).write(lines)),
            Self::Stream { file, .. } => file.write(lines),
            // Through the `File`: an error of `NamedTempFile` would contain the temporary file's name.
            Self::File { file, .. } => file.as_file_mut().write(lines),
            Self::Continued { file, .. } => file.write(lines),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout { stdout, .. } => blocking(&*stdout, Ready::ToWrite, || (&*stdout).flush()),
            // These have no buffer of their own.
            Self::Stream { .. } | Self::File { .. } | Self::Continued { .. } => Ok(()),
        }
    }
}
