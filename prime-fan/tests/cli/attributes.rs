//! The attributes of a file that `--output` replaces.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
use tempfile::TempDir;

use crate::program::{Ended, prime_fan};

/// A user without rights, and a group that this user is not in.
const NOBODY: u32 = 65_534;
const GROUP: u32 = 65_533;

/// An access control list that grants user 1 more than the group: a version, then entries of a tag, rights and an id.
const LIST: [u8; 44] = *b"\x02\0\0\0\
    \x01\0\x06\0\xFF\xFF\xFF\xFF\
    \x02\0\x06\0\x01\0\0\0\
    \x04\0\0\0\xFF\xFF\xFF\xFF\
    \x10\0\x06\0\xFF\xFF\xFF\xFF\
    \x20\0\0\0\xFF\xFF\xFF\xFF";

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "old").unwrap();
    (folder, file)
}

fn replace(folder: &Path) -> Ended {
    prime_fan("range 2..4 -o file").current_dir(folder).output().unwrap().into()
}

fn attribute(file: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 100];
    let length = fgetxattr(File::open(file).unwrap(), name, &mut value).ok()?;
    Some(value[..length].to_vec())
}

#[test]
fn owner_group_and_permissions_stay() {
    let (folder, file) = folder();
    if chown(&file, Some(NOBODY), Some(GROUP)).is_err() {
        println!("skipped: only root can give files away");
        return;
    }
    for mode in [0o640, 0o600, 0o4755, 0o062, 0o444] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let ended = replace(folder.path());
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let metadata = fs::metadata(&file).unwrap();
        let kept = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
        assert_eq!(kept, (NOBODY, GROUP, mode), "{mode:o}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "2\n3\n");
    }
}

/// In a shared folder, a user may replace the file of another user, but can't keep its owner.
#[test]
fn what_may_not_be_kept_is_named_and_gives_no_rights_to_others() {
    let (folder, file) = folder();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    if chown(&file, Some(1), Some(GROUP)).is_err() {
        println!("skipped: only root can give files away");
        return;
    }
    // The new group gets no more than other users had.
    for (mode, expected) in [(0o662, 0o622), (0o6676, 0o666), (0o606, 0o606)] {
        let (group, owner) = (Some(GROUP), Some(1));
        chown(&file, owner, group).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let mut command = prime_fan("range 2..4 -o file");
        let output = match command.current_dir(folder.path()).uid(NOBODY).gid(NOBODY).output() {
            Ok(output) => output,
            Err(error) => return println!("skipped: root can't run the program as another user: {error}"),
        };
        let ended = Ended::from(output);
        let path = file.canonicalize().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let message = format!(
            "prime-fan: replacing {name} does not keep: owner, group; `> {name}` writes into the file instead\n"
        );
        assert_eq!((ended.code, ended.stderr), (Some(0), message));
        let metadata = fs::metadata(&file).unwrap();
        let kept = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
        assert_eq!(kept, (NOBODY, NOBODY, expected), "{mode:o}");
    }
}

#[test]
fn attributes_and_access_control_lists_stay_and_none_are_added() {
    let (folder, file) = folder();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let old = File::open(&file).unwrap();
    if let Err(error) = fsetxattr(&old, "user.origin", b"here", XattrFlags::empty()) {
        println!("skipped: this file system has no attributes: {error}");
        return;
    }
    let has_lists = fsetxattr(&old, "system.posix_acl_access", &LIST, XattrFlags::empty()).is_ok();
    let mode = fs::metadata(&file).unwrap().mode();
    assert_eq!(replace(folder.path()).stderr, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), "2\n3\n");
    assert_eq!(attribute(&file, "user.origin").as_deref(), Some(&b"here"[..]));
    assert_eq!(fs::metadata(&file).unwrap().mode(), mode);
    if !has_lists {
        println!("skipped: this file system has no access control lists");
        return;
    }
    assert_eq!(attribute(&file, "system.posix_acl_access").as_deref(), Some(&LIST[..]));

    // The default access control list of the folder must not apply to a file that replaces another.
    let default = File::open(folder.path()).unwrap();
    fsetxattr(default, "system.posix_acl_default", &LIST, XattrFlags::empty()).unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(folder.path().join("other"), "").unwrap();
    assert!(attribute(&folder.path().join("other"), "system.posix_acl_access").is_some());
    let plain = tempfile::NamedTempFile::new().unwrap();
    fs::write(&plain, "old").unwrap();
    fs::set_permissions(&plain, Permissions::from_mode(0o660)).unwrap();
    fs::rename(plain.into_temp_path().keep().unwrap(), &file).unwrap();
    assert_eq!(replace(folder.path()).stderr, "");
    assert_eq!(attribute(&file, "system.posix_acl_access"), None);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o660);
}

#[test]
fn other_hard_links_keep_the_old_file_and_a_message_says_so() {
    let (folder, file) = folder();
    let other = folder.path().join("other");
    fs::hard_link(&file, &other).unwrap();
    let message = "prime-fan: replacing file does not keep: other hard links; `> file` writes into the file instead\n";
    assert_eq!(replace(folder.path()).stderr, message);
    assert_eq!(
        (fs::read_to_string(&file).unwrap(), fs::read_to_string(&other).unwrap()),
        ("2\n3\n".into(), "old".into())
    );
    fs::remove_file(&file).unwrap();
    fs::hard_link(&other, &file).unwrap();
    let quiet = prime_fan("range -q 2..4 -o file").current_dir(folder.path()).output().unwrap();
    assert_eq!(Ended::from(quiet).stderr, "");
}
