//! Files of other kinds and other owners in the directory of the store.

use std::fs;
use std::os::unix::fs::chown;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::fixture::{Ground, OWNER, PERSON, is_root};

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
    if !is_root() {
        return;
    }
    for name in ["orderfeed.db", "orderfeed.db.lock"] {
        let ground = Ground::with_store();
        let path = ground.state().join(name);
        fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::from_bits_truncate(0o600), 0).unwrap();
        chown(&path, Some(OWNER), Some(OWNER)).unwrap();
        let add = ["suppress", "add", "--sha256", PERSON];
        let ran = ground.run(&add);
        assert!(ran.stderr.contains("not a regular file"), "{name}: {ran:?}");
        assert_eq!(ran.code, Some(78), "{ran:?}");
        for reading in [&["status"][..], &["doctor"], &["failed", "list"]] {
            // Ends, whatever the answer is.
            ground.run(reading);
        }
    }
}

#[test]
fn a_store_of_another_user_is_not_read_for_the_owner_of_its_directory() {
    if !is_root() {
        return;
    }
    let ground = Ground::with_store();
    chown(ground.state().join("orderfeed.db"), Some(0), Some(0)).unwrap();
    for args in [
        &["suppress", "list"][..],
        &["suppress", "add", "--sha256", PERSON],
        &["status"],
    ] {
        let ran = ground.run(args);
        assert_ne!(ran.code, Some(0), "{args:?} {ran:?}");
        assert!(!ran.stdout.contains(PERSON), "{ran:?}");
    }
}

#[test]
fn root_does_not_work_in_its_own_directory_if_others_can_write_there() {
    if !is_root() {
        return;
    }
    let ground = Ground::new("orderfeed.db");
    chown(ground.state(), Some(0), Some(OWNER)).unwrap();
    let group = std::os::unix::fs::PermissionsExt::from_mode(0o770);
    fs::set_permissions(ground.state(), group).unwrap();
    let ran = ground.run(&["suppress", "add", "--sha256", PERSON]);
    assert_eq!(ran.code, Some(78), "{ran:?}");
    assert!(ran.stderr.contains("can be written by others"), "{ran:?}");
}

#[test]
fn a_partial_file_of_another_user_is_not_written() {
    if !is_root() {
        return;
    }
    let ground = Ground::with_store();
    let copy = ground.installation.path("copy.db");
    let partial = ground.installation.path("copy.db.partial");
    fs::write(&partial, "").unwrap();
    chown(&partial, Some(OWNER), Some(OWNER)).unwrap();
    let ran = ground.run(&["backup", copy.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("belongs to another user"), "{ran:?}");
    assert_eq!(fs::metadata(&partial).unwrap().len(), 0);
    assert!(!copy.exists());
}
