//! With stderr connected to the journal, the last message of a failing program has the priority of an error.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// Returns exit code and stderr of a run in which `JOURNAL_STREAM` names stderr's device and this inode.
fn said(dir: &Path, args: &[&str], inode: impl FnOnce(u64) -> u64) -> (Option<i32>, String) {
    let path = dir.join("stderr");
    let stderr = File::create(&path).unwrap();
    let about = stderr.metadata().unwrap();
    let stream = format!("{}:{}", about.dev(), inode(about.ino()));
    let ended = Command::new(env!("CARGO_BIN_EXE_orderfeed"))
        .env_clear()
        .env("JOURNAL_STREAM", stream)
        .args(args)
        .stderr(stderr)
        .status()
        .unwrap();
    (ended.code(), std::fs::read_to_string(path).unwrap())
}

#[test]
fn an_unconfigured_daemon_reports_one_sentence_of_priority_error() {
    let dir = tempfile::tempdir().unwrap();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/config/orderfeed.toml");
    let run = ["run", "--config", config];
    let (code, text) = said(dir.path(), &run, |inode| inode);
    assert_eq!(code, Some(78), "{text}");
    assert!(text.starts_with("<3>orderfeed: "), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let (code, plain) = said(dir.path(), &run, |inode| inode + 1);
    assert_eq!(code, Some(78), "{plain}");
    assert_eq!(
        format!("<3>{plain}"),
        text,
        "the variable of another stream means nothing"
    );
}

#[test]
fn each_line_of_a_usage_error_has_priority_error_too() {
    let dir = tempfile::tempdir().unwrap();
    let (code, text) = said(dir.path(), &["run", "--fast"], |inode| inode);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--fast"), "{text}");
    assert!(text.lines().all(|line| line.starts_with("<3>")), "{text}");
}
