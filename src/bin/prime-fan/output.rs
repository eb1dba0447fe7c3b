//! Where the results go: the standard output, a stream, or a file that is written whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::exit::Failure;
use crate::stderr::aside;

const BUFFER: usize = 64 * 1024;

/// Takes lines. They stay in a buffer until it is full or [`flush`](Self::flush) is called.
pub(crate) struct Output(BufWriter<Target>);

enum Target {
    Stdout {
        stdout: Stdout,
        is_terminal: bool,
    },
    /// Something that can't be replaced: a device, a named pipe.
    Stream {
        path: PathBuf,
        file: File,
    },
    /// Becomes `path` when it is complete.
    File {
        path: PathBuf,
        file: NamedTempFile,
    },
}

impl Output {
    pub(crate) fn to(path: Option<&Path>) -> Result<Self, Failure> {
        let target = match path.filter(|path| path.as_os_str() != "-") {
            None => {
                let stdout = io::stdout();
                let is_terminal = stdout.is_terminal();
                Target::Stdout { stdout, is_terminal }
            }
            Some(path) => Target::open(path).map_err(|source| Failure::Output { path: path.to_owned(), source })?,
        };
        Ok(Self(BufWriter::with_capacity(BUFFER, target)))
    }

    pub(crate) fn write(&mut self, lines: &[u8]) -> Result<(), Failure> {
        self.0.write_all(lines).map_err(|error| self.failure(error))
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(|error| self.failure(error))
    }

    /// The results are complete.
    pub(crate) fn commit(mut self) -> Result<(), Failure> {
        self.flush()?;
        match self.0.into_parts().0 {
            Target::Stdout { .. } | Target::Stream { .. } => Ok(()),
            Target::File { path, file } => {
                // Without this a crash of the system could leave the new name with an empty file behind it.
                let synced = file.as_file().sync_all();
                let replaced = synced.and_then(|()| file.persist(&path).map_err(|error| error.error));
                replaced.map(drop).map_err(|source| Failure::Output { path, source })
            }
        }
    }

    /// They are not, and will not be. The path of the file that is left alone, if there is one.
    pub(crate) fn abandon(self) -> Option<PathBuf> {
        // What is still in the buffer goes nowhere: a file is removed, and of a stream everything that counts was flushed.
        match self.0.into_parts().0 {
            Target::Stdout { .. } | Target::Stream { .. } => None,
            Target::File { path, .. } => Some(path),
        }
    }

    fn failure(&self, source: io::Error) -> Failure {
        match self.0.get_ref() {
            Target::Stdout { .. } => Failure::Stdout(source),
            Target::Stream { path, .. } | Target::File { path, .. } => Failure::Output { path: path.clone(), source },
        }
    }
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match metadata {
            Some(metadata) if metadata.is_file() => {
                // A link stays one; what it leads to is replaced.
                let path = fs::canonicalize(path)?;
                let file = beside(&path)?;
                file.as_file().set_permissions(metadata.permissions())?;
                Ok(Self::File { path, file })
            }
            Some(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Some(_) => Ok(Self::Stream { path: path.to_owned(), file: File::options().write(true).open(path)? }),
            None => Ok(Self::File { path: path.to_owned(), file: beside(path)? }),
        }
    }
}

/// A temporary file that can be renamed to `path`: in the same folder, with the permissions of a new file.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Its error names the folder's trouble alone, that of the temporary file a name that nobody has heard of.
    fs::metadata(folder)?;
    let mut builder = Builder::new();
    builder.prefix(".prime-fan-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions({
        use std::os::unix::fs::PermissionsExt;
        // What the umask leaves of it.
        Permissions::from_mode(0o666)
    });
    builder.tempfile_in(folder)
}

impl Write for Target {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout { stdout, is_terminal: true } => aside(|| stdout.write(lines)),
            Self::Stdout { stdout, .. } => stdout.write(lines),
            Self::Stream { file, .. } => file.write(lines),
            Self::File { file, .. } => file.write(lines),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout { stdout, .. } => stdout.flush(),
            // They have no buffer.
            Self::Stream { .. } | Self::File { .. } => Ok(()),
        }
    }
}
