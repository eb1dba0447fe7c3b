//! Copies the attributes of a file to the one that replaces it: owner, group, permissions, and extended attributes such
//! as access control lists.

use std::fs::{File, Metadata};

/// Copies the attributes of `old` to `new`, and returns the names of those that could not be copied.
///
/// A failure here is no reason not to write the file. `new` never grants a right to a user who did not have it on
/// `old`.
#[cfg(unix)]
pub(crate) fn keep(old: &File, metadata: &Metadata, new: &File) -> Vec<&'static str> {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let mut lost = Vec::new();
    // Separately: a user who may not change the owner may still choose another of their groups. The owner comes last,
    // since only the owner may change the rest.
    let has_group = fchown(new, None, Some(metadata.gid())).is_ok();
    let has_attributes = extended::copy(old, new);
    let has_owner = fchown(new, Some(metadata.uid()), None).is_ok();
    let mut mode = metadata.mode() & 0o7777;
    if !(has_owner && has_group) {
        // Setuid and setgid would run the program as another user or group than before.
        mode &= 0o1777;
    }
    if !has_group || has_attributes.is_err() {
        // A different group gets no more than other users have. With an access control list, these bits are its mask,
        // the most that any entry grants.
        mode &= 0o7707 | (mode & 0o007) << 3;
    }
    let has_mode = new.set_permissions(Permissions::from_mode(mode)).is_ok();
    let has_names = metadata.nlink() <= 1;
    for (is_kept, what) in [
        (has_owner, "owner"),
        (has_group, "group"),
        (has_mode, "permissions"),
        (has_attributes.is_ok(), "extended attributes"),
        (has_names, "other hard links"),
    ] {
        if !is_kept {
            lost.push(what);
        }
    }
    lost
}

#[cfg(not(unix))]
pub(crate) fn keep(_: &File, metadata: &Metadata, new: &File) -> Vec<&'static str> {
    if new.set_permissions(metadata.permissions()).is_ok() { Vec::new() } else { vec!["permissions"] }
}

/// Extended attributes. On Linux they include access control lists and security labels.
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod extended {
    use std::ffi::CStr;
    use std::fs::File;

    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
    use rustix::io::{Errno, Result};

    /// Attributes about the contents of the old file: they do not apply to the new contents.
    const OF_CONTENTS: [&CStr; 3] = [c"security.capability", c"security.evm", c"security.ima"];

    /// Copies those of `old` to `new`, and removes others from `new`: the folder may have given it a default access
    /// control list.
    pub(super) fn copy(old: &File, new: &File) -> Result<()> {
        let names = |file| match list(file) {
            // The file system does not support them.
            Err(Errno::NOTSUP) => Ok(Vec::new()),
            names => names,
        };
        let (old_names, new_names) = (names(old)?, names(new)?);
        let mut result = Ok(());
        for name in each(&new_names) {
            if !each(&old_names).any(|kept| kept == name) {
                result = result.and(fremovexattr(new, name));
            }
        }
        for name in each(&old_names).filter(|name| !OF_CONTENTS.contains(name)) {
            result = result.and(get(old, name).and_then(|value| match get(new, name) {
                Ok(present) if present == value => Ok(()),
                _ => fsetxattr(new, name, &value, XattrFlags::empty()),
            }));
        }
        result
    }

    fn each(names: &[u8]) -> impl Iterator<Item = &CStr> {
        names.split_inclusive(|&byte| byte == 0).filter_map(|name| CStr::from_bytes_with_nul(name).ok())
    }

    /// Returns the names, each with a zero byte after it.
    fn list(file: &File) -> Result<Vec<u8>> {
        sized(|room| flistxattr(file, room))
    }

    fn get(file: &File, name: &CStr) -> Result<Vec<u8>> {
        sized(|room| fgetxattr(file, name, room))
    }

    /// Calls `ask` with a larger and larger buffer until the answer fits.
    fn sized(ask: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
        // The limit of Linux, for a value and for the list of names.
        let mut bytes = vec![0; 64 * 1024];
        loop {
            match ask(&mut bytes) {
                Err(Errno::RANGE) => bytes.resize(2 * bytes.len(), 0),
                length => {
                    bytes.truncate(length?);
                    return Ok(bytes);
                }
            }
        }
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "macos"))))]
mod extended {
    use std::fs::File;
    use std::io;

    /// No safe interface to them is available on these systems.
    pub(super) fn copy(_: &File, _: &File) -> io::Result<()> {
        Ok(())
    }
}
