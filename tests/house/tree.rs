//! The project's own files.

use std::collections::BTreeMap;
use std::path::Path;

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All text files of the project with their contents, by path from the root.
pub fn text_files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root().to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("the project can be read") {
            let path = entry.expect("the project can be read").path();
            let name = name_of(&path);
            match path.is_dir() {
                true if is_made(&name) => {}
                true => open.push(path),
                // A file that is not UTF-8 is not a text.
                false => found.extend(std::fs::read_to_string(&path).ok().map(|text| (name, text))),
            }
        }
    }
    found
}

/// The Rust files under one of these directories.
pub fn rust_files(directories: &[&str]) -> BTreeMap<String, String> {
    let wanted = |name: &String| name.ends_with(".rs") && directories.iter().any(|d| name.starts_with(d));
    text_files()
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .collect()
}

/// The modules of the library, by their path.
pub fn modules() -> BTreeMap<String, String> {
    let files = rust_files(&["src/"])
        .into_iter()
        .filter(|(name, _)| name != "src/main.rs");
    files.map(|(name, text)| (module_of(&name), text)).collect()
}

/// `src/store/mod.rs` → `crate::store`.
pub fn module_of(file: &str) -> String {
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    match inner.trim_end_matches("/mod") {
        "lib" => "crate".into(),
        inner => format!("crate::{}", inner.replace('/', "::")),
    }
}

/// What building and version control leave behind.
fn is_made(directory: &str) -> bool {
    matches!(
        directory,
        ".git" | "target" | "tests/.tools" | "fuzz/target" | "fuzz/corpus" | "fuzz/artifacts"
    )
}

fn name_of(path: &Path) -> String {
    let inner = path.strip_prefix(root()).expect("found under the root");
    inner.to_string_lossy().into_owned()
}
