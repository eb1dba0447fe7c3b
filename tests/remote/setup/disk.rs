//! Small disks.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A disk in memory. It is mounted for a process that waits until this is dropped, and for those that
/// [`command`](Self::command) has join it.
pub(crate) struct Disk {
    keeper: Child,
    folder: PathBuf,
}

impl Disk {
    /// Mounts one that has so many MiB at this folder. `None` where that is not allowed.
    pub(crate) fn mount(folder: &Path, size: u32) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let script = format!("mount -t tmpfs -o size={size}m disk \"$0\" && echo mounted && exec cat");
        let mut command = Command::new("unshare");
        // Also where this is not root.
        command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(folder);
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let disk = Self { keeper, folder: folder.to_owned() };
        (line == "mounted\n").then_some(disk)
    }

    /// A process that sees it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        // Without a fork, so it becomes the process itself.
        command.args(["--user", "--mount", "--preserve-credentials", "--target", &self.keeper.id().to_string()]);
        command.arg(program);
        command
    }

    /// Fills it to the last byte with a file.
    pub(crate) fn fill(&self) {
        let mut file = fs::File::create(self.filling()).unwrap();
        let zeros = vec![0; 1 << 12];
        while file.write_all(&zeros).is_ok() {}
    }

    /// Removes that file.
    pub(crate) fn free(&self) {
        fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> PathBuf {
        let root = format!("/proc/{}/root", self.keeper.id());
        Path::new(&root).join(self.folder.strip_prefix("/").unwrap()).join("filling")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
