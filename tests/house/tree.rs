//! The files of the repository, and the crates and modules they make up.

use std::collections::BTreeMap;
use std::path::Path;

/// Directories with the code of the workspace's crates.
pub const CODE: [&str; 2] = ["src/", "crates/"];
/// The same, with the tests.
pub const CODE_AND_TESTS: [&str; 3] = ["src/", "crates/", "tests/"];

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All text files with their contents, by path from the root.
pub fn text_files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root().to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("the repository is readable") {
            let path = entry.expect("the repository is readable").path();
            let name = name_of(&path);
            match path.is_dir() {
                true if is_generated(&name) => {}
                true => open.push(path),
                // A file that is not UTF-8 is not a text file.
                false => found.extend(std::fs::read_to_string(&path).ok().map(|text| (name, text))),
            }
        }
    }
    found
}

/// The Rust files below these directories.
pub fn rust_files(directories: &[&str]) -> BTreeMap<String, String> {
    let wanted = |name: &String| name.ends_with(".rs") && directories.iter().any(|d| name.starts_with(d));
    text_files()
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .collect()
}

/// The modules of all library crates, by their path.
pub fn modules() -> BTreeMap<String, String> {
    let files = rust_files(&CODE).into_iter();
    files
        .filter_map(|(name, text)| Some((module_of(&name)?, text)))
        .collect()
}

/// Returns the path of the module in this file: `src/store/mod.rs` → `orderfeed::store`,
/// `crates/model/src/clock.rs` → `orderfeed_model::clock`. None if it belongs to no library.
pub fn module_of(file: &str) -> Option<String> {
    let (name, inner) = match file.strip_prefix("crates/") {
        Some(file) => {
            let (directory, inner) = file.split_once("/src/")?;
            (format!("orderfeed_{}", directory.replace('-', "_")), inner)
        }
        None => ("orderfeed".to_owned(), file.strip_prefix("src/")?),
    };
    let inner = inner.strip_suffix(".rs")?;
    match inner.strip_suffix("/mod").unwrap_or(inner) {
        "main" => None,
        "lib" => Some(name),
        inner => Some(format!("{name}::{}", inner.replace('/', "::"))),
    }
}

/// True for directories that builds and version control write to.
fn is_generated(directory: &str) -> bool {
    matches!(
        directory,
        ".git" | "target" | "tests/.tools" | "fuzz/target" | "fuzz/corpus" | "fuzz/artifacts"
    )
}

fn name_of(path: &Path) -> String {
    let inner = path.strip_prefix(root()).expect("found below the root");
    inner.to_string_lossy().into_owned()
}

#[test]
fn files_are_modules_of_their_crate() {
    let module = |file| module_of(file).unwrap_or_default();
    assert_eq!(module("src/lib.rs"), "orderfeed");
    assert_eq!(module("src/store/mod.rs"), "orderfeed::store");
    assert_eq!(
        module("src/store/outbox/batch.rs"),
        "orderfeed::store::outbox::batch"
    );
    assert_eq!(module("crates/demo-shop/src/lib.rs"), "orderfeed_demo_shop");
    assert_eq!(module("crates/model/src/clock.rs"), "orderfeed_model::clock");
    assert_eq!(module_of("src/main.rs"), None);
    assert_eq!(module_of("crates/model/tests/all.rs"), None);
}
