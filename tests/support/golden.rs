//! Files with the program's output, word for word. `REGENERATE=1 cargo test --test promises -- golden:: observed::
//! house::` rewrites them, so that the diff of a commit shows what changes for users.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const REMEDY: &str =
    "if this is meant: REGENERATE=1 cargo test --test promises -- golden:: observed:: house::";

/// Returns the path of a file of the project.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Asserts that the file `path` contains `text`.
#[track_caller]
pub fn assert_holds(path: &str, text: &str) {
    let place = file(path);
    if regenerates() {
        std::fs::write(&place, text).unwrap();
    }
    let held = std::fs::read_to_string(&place).unwrap_or_default();
    assert_same(path, &held, text);
}

/// Asserts that the directory `path` has a file for each of `texts`, and no other.
#[track_caller]
pub fn assert_holds_all(path: &str, texts: &BTreeMap<String, String>) {
    let place = file(path);
    std::fs::create_dir_all(&place).unwrap();
    for (name, text) in texts {
        assert_holds(&format!("{path}/{name}"), text);
    }
    for entry in std::fs::read_dir(&place).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if texts.contains_key(&name) {
            continue;
        }
        assert!(
            regenerates(),
            "{path}/{name} is of nothing that there is; {REMEDY}"
        );
        std::fs::remove_file(entry.path()).unwrap();
    }
}

#[track_caller]
fn assert_same(path: &str, held: &str, text: &str) {
    let differing = held.lines().zip(text.lines()).position(|(old, new)| old != new);
    let line = differing.unwrap_or_else(|| held.lines().count().min(text.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    assert!(
        held == text,
        "{path}:{} is not what the program says\n  there: {}\n  now:   {}\n{REMEDY}",
        line + 1,
        at(held),
        at(text),
    );
}

fn regenerates() -> bool {
    std::env::var_os("REGENERATE").is_some()
}
