//! The identity under which root works on a store.
//!
//! The daemon's user owns the directory of the store, and can replace every name in it at any moment. A process of root
//! that followed such a name would read or write whatever the daemon's user chose. So a command that root runs takes the
//! identity of the store's owner for good before it touches the directory; only a file outside of the owner's reach (a
//! backup in a directory of root) is opened before that.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{
    Gid, Uid, User, getegid, geteuid, getgroups, initgroups, setegid, seteuid, setgroups, setresgid,
    setresuid,
};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::store::error::StoreError;
use crate::store::file::space::directory_of;

/// Most symbolic links in the path of a file, as in Linux.
const MAX_LINKS: usize = 40;

/// The user who controls a store, and whom root becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOwner {
    uid: Uid,
    gid: Gid,
}

impl StoreOwner {
    /// Returns the owner of the store at `store` if this process is root and the owner is another user: the owner of the
    /// first file, link or directory on the path that is not root's.
    ///
    /// # Errors
    /// `Path` if the path cannot be examined, or if others than root can write in a directory of root.
    pub fn to_become(store: &Path) -> Result<Option<Self>, StoreError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let failed = |cause| StoreError::path(store, &cause);
        let stranger = first_on_path(store, |found| found.uid() != 0).map_err(failed)?;
        let owner = stranger.map(|found| Self {
            uid: Uid::from_raw(found.uid()),
            gid: Gid::from_raw(found.gid()),
        });
        let directory = fs::metadata(directory_of(store));
        if owner.is_none() && directory.is_ok_and(|found| found.mode() & 0o022 != 0) {
            // There is no user to become, and a name in this directory may be replaced at any moment.
            return Err(failed(io::Error::other(
                "its directory belongs to root and can be written by others",
            )));
        }
        Ok(owner)
    }

    /// Returns true if this user may be able to replace a part of `path`.
    pub fn controls(self, path: &Path) -> bool {
        let is_replaceable = |found: &fs::Metadata| {
            // The user's groups are not known here. In a sticky directory, each user's files are safe from others.
            let of_others = found.mode() & 0o002 != 0 || found.mode() & 0o020 != 0 && found.gid() != 0;
            found.uid() == self.uid.as_raw() || found.is_dir() && of_others && found.mode() & 0o1000 == 0
        };
        // A path that cannot be examined is treated as the owner's, which is the safe side.
        first_on_path(path, is_replaceable).map_or(true, |found| found.is_some())
    }

    /// Makes this user the owner of an open file.
    ///
    /// # Errors
    /// Those of the system.
    pub fn own(self, file: &fs::File) -> io::Result<()> {
        std::os::unix::fs::fchown(file, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
    }

    /// Takes this identity for the rest of the process, in all its threads.
    ///
    /// # Errors
    /// `Identity` if the system refuses, or if root's identity could be taken back.
    pub fn become_for_good(self, store: &Path) -> Result<(), StoreError> {
        let changed = self.set_groups().and_then(|gid| {
            setresgid(gid, gid, gid)?;
            Ok(setresuid(self.uid, self.uid, self.uid)?)
        });
        changed.map_err(|cause| self.refused(store, &cause))?;
        if seteuid(Uid::from_raw(0)).is_ok() {
            return Err(self.refused(store, &io::Error::other("the change is not permanent")));
        }
        // The kernel may have reset it with the identity.
        forbid_core_dumps();
        Ok(())
    }

    /// Runs `work` under this identity, and then takes back root's.
    ///
    /// # Errors
    /// `Identity` if the system refuses the change in either direction.
    pub fn during<T>(self, store: &Path, work: impl FnOnce() -> T) -> Result<T, StoreError> {
        let failed = |cause: io::Error| self.refused(store, &cause);
        let before = getgroups().map(|groups| (groups, getegid()));
        let (groups, gid) = before.map_err(|cause| failed(cause.into()))?;
        let changed = self.set_groups().and_then(|gid| {
            setegid(gid)?;
            Ok(seteuid(self.uid)?)
        });
        let result = changed.map(|()| work());
        // Also after a failure half-way.
        seteuid(Uid::from_raw(0))
            .and_then(|()| setegid(gid))
            .and_then(|()| setgroups(&groups))
            .map_err(|cause| failed(cause.into()))?;
        result.map_err(failed)
    }

    /// Sets the groups that the user has after a login, and returns the primary one. A user without an account has only
    /// the group of the file.
    fn set_groups(self) -> io::Result<Gid> {
        match User::from_uid(self.uid)? {
            Some(user) => {
                initgroups(&CString::new(user.name)?, user.gid)?;
                Ok(user.gid)
            }
            None => {
                setgroups(&[self.gid])?;
                Ok(self.gid)
            }
        }
    }

    fn refused(self, store: &Path, cause: &io::Error) -> StoreError {
        StoreError::Identity {
            path: store.to_owned(),
            uid: self.uid.as_raw(),
            cause: cause.to_string(),
        }
    }
}

/// Runs `work`, which opens the store at `store`, under the identity of its owner if this process is root.
///
/// # Errors
/// As [`StoreOwner::to_become`] and [`StoreOwner::during`].
pub(crate) fn as_owner<T>(store: &Path, work: impl FnOnce() -> T) -> Result<T, StoreError> {
    match StoreOwner::to_become(store)? {
        Some(owner) => owner.during(store, work),
        None => Ok(work()),
    }
}

/// Forbids core dumps of this process, and that other processes of its user read its memory: it holds secrets.
pub fn forbid_core_dumps() {
    // A kernel without it leaves the process as it was.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Returns the first part of `path` that fits: a directory, a link before it is followed, or the file.
fn first_on_path(path: &Path, fits: impl Fn(&fs::Metadata) -> bool) -> io::Result<Option<fs::Metadata>> {
    let path = std::path::absolute(path)?;
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    let mut rest = parts(&path);
    while let Some(name) = rest.pop() {
        let next = at.join(&name);
        let found = match fs::symlink_metadata(&next) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if fits(&found) {
            return Ok(Some(found));
        }
        if !found.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(rustix::io::Errno::LOOP.into());
        }
        let target = fs::read_link(&next)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        rest.extend(parts(&target));
    }
    Ok(None)
}

/// Returns the names of `path` without the root, last name first.
fn parts(path: &Path) -> Vec<OsString> {
    let names = path.iter().filter(|name| *name != OsStr::new("/"));
    names.rev().map(OsStr::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::*;

    /// A user without an account.
    const STRANGER: u32 = 54_321;

    #[test]
    fn the_first_part_that_is_not_roots_decides() {
        if !geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (roots, theirs) = (dir.path().join("roots"), dir.path().join("theirs"));
        for directory in [&roots, &theirs] {
            fs::create_dir(directory).unwrap();
        }
        let stranger = |path: &Path| {
            StoreOwner::to_become(path)
                .unwrap()
                .map(|owner| owner.uid.as_raw())
        };
        fs::write(roots.join("a.db"), "").unwrap();
        assert_eq!(stranger(&roots.join("a.db")), None);
        assert_eq!(stranger(&roots.join("missing/a.db")), None);
        // Root's link to a directory of the daemon's user, as systemd makes it for DynamicUser.
        lchown(&theirs, Some(STRANGER), Some(STRANGER)).unwrap();
        symlink("../theirs", roots.join("state")).unwrap();
        assert_eq!(stranger(&roots.join("state/a.db")), Some(STRANGER));
        // The user's link into a directory of root.
        symlink(&roots, theirs.join("data")).unwrap();
        assert_eq!(stranger(&theirs.join("data/a.db")), Some(STRANGER));
        symlink(roots.join("loop"), roots.join("loop")).unwrap();
        assert!(StoreOwner::to_become(&roots.join("loop")).is_err());
        let owner = StoreOwner::to_become(&theirs.join("a.db")).unwrap().unwrap();
        assert!(owner.controls(&theirs.join("copy.db")) && !owner.controls(&roots.join("copy.db")));
        fs::set_permissions(&roots, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = StoreOwner::to_become(&roots.join("a.db"))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("can be written by others"), "{refused}");
        assert!(owner.controls(&roots.join("copy.db")));
        fs::set_permissions(&roots, fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(!owner.controls(&roots.join("copy.db")));
    }

    #[test]
    fn work_under_another_identity_has_its_rights_only() {
        if !geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let private = dir.path().join("private");
        fs::write(&private, "").unwrap();
        fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
        let owner = StoreOwner {
            uid: Uid::from_raw(STRANGER),
            gid: Gid::from_raw(STRANGER),
        };
        let read = owner.during(&private, || fs::read(&private).map_err(|error| error.kind()));
        assert_eq!(read.unwrap(), Err(io::ErrorKind::PermissionDenied));
        fs::read(&private).unwrap();
    }
}
