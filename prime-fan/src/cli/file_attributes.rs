//! What a file that replaces another keeps of it: owner, group, permissions, and the attributes that the system has beside
//! them, such as access control lists.

use std::fs::{File, Metadata};

/// Gives `new` what `old` has. What can't be kept, in words.
///
/// Nothing of it is a reason not to write the file. A right is never given to others than had it.
#[cfg(unix)]
pub(crate) fn keep(old: &File, metadata: &Metadata, new: &File) -> Vec<&'static str> {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let mut lost = Vec::new();
    // One by one: a user who may not give a file away may still give it to another of the own groups. The owner comes
    // last, since a file that was given away can't be changed any more.
    let has_group = fchown(new, None, Some(metadata.gid())).is_ok();
    let has_attributes = extended::copy(old, new);
    let has_owner = fchown(new, Some(metadata.uid()), None).is_ok();
    let mut mode = metadata.mode() & 0o7777;
    if !(has_owner && has_group) {
        // Such a program would run as somebody else than before.
        mode &= 0o1777;
    }
    if !has_group || has_attributes.is_err() {
        // Another group gets no more than everybody has. With a list, these bits are the most that anyone in it may do.
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

/// Extended attributes, among which Linux has access control lists and labels.
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod extended {
    use std::ffi::CStr;
    use std::fs::File;

    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
    use rustix::io::{Errno, Result};

    /// What the system says of the contents, which are new.
    const OF_CONTENTS: [&CStr; 3] = [c"security.capability", c"security.evm", c"security.ima"];

    /// Gives `new` those of `old`, and no others: a folder may have a list for each new file in it.
    pub(super) fn copy(old: &File, new: &File) -> Result<()> {
        let names = |file| match list(file) {
            // A file system that has none.
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

    /// Names, each with a zero behind it.
    fn list(file: &File) -> Result<Vec<u8>> {
        sized(|room| flistxattr(file, room))
    }

    fn get(file: &File, name: &CStr) -> Result<Vec<u8>> {
        sized(|room| fgetxattr(file, name, room))
    }

    /// Asks with room for as much as there is.
    fn sized(ask: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
        // The most that Linux has.
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

    /// There is no safe way to them there.
    pub(super) fn copy(_: &File, _: &File) -> io::Result<()> {
        Ok(())
    }
}
