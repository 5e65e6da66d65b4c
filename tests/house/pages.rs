//! Files and modules that the pages of the documentation name exist.

use std::collections::BTreeMap;

use super::tables::quoted;
use super::tree::{module_of, text_files};

#[test]
fn files_and_modules_named_in_the_documentation_exist() {
    let files = text_files();
    let modules = modules_and_tests(&files);
    let mut wrong = Vec::new();
    for (name, text) in files.iter().filter(|(name, _)| is_page(name)) {
        for (line, quoted) in quoted_in(text) {
            if is_path(&quoted) && !has_path(&files, &quoted)
                || is_item(&modules, &quoted) && !has_item(&modules, &quoted)
            {
                wrong.push(format!("{name}:{line}: `{quoted}`"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these files or modules do not exist:\n{}",
        wrong.join("\n")
    );
}

/// The changelog may name what is gone.
fn is_page(name: &str) -> bool {
    name.ends_with(".md") && name != "CHANGELOG.md"
}

/// Texts between backticks outside of code blocks, with their lines.
fn quoted_in(markdown: &str) -> Vec<(usize, String)> {
    let (mut found, mut is_code) = (Vec::new(), false);
    for (at, line) in markdown.lines().enumerate() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            found.extend(quoted(line).into_iter().map(|text| (at + 1, text)));
        }
    }
    found
}

/// True for a Rust file, a directory, or a path below a directory of the repository.
fn is_path(text: &str) -> bool {
    const DIRECTORIES: [&str; 9] = [
        "src/",
        "crates/",
        "tests/",
        "docs/",
        "benches/",
        "examples/",
        "contrib/",
        "packaging/",
        "systemd/",
    ];
    let is_plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let is_relative = !text.starts_with(['/', '.', '-']);
    let is_file =
        text.ends_with(".rs") || text.ends_with('/') || DIRECTORIES.iter().any(|d| text.starts_with(d));
    is_plain && is_relative && is_file && text.len() > 3
}

/// True if a file or directory has this path, or a path that ends with it.
fn has_path(files: &BTreeMap<String, String>, path: &str) -> bool {
    let inner = format!("/{path}");
    let directory = format!("/{}/", path.trim_end_matches('/'));
    files.keys().any(|file| {
        let file = format!("/{file}");
        file.ends_with(&inner) || file.trim_end_matches(".rs").ends_with(&inner) || file.contains(&directory)
    })
}

/// Modules by the parts of their path, with their text. Those of the tests begin with `tests`.
fn modules_and_tests(files: &BTreeMap<String, String>) -> Vec<(Vec<String>, &str)> {
    let modules = files.iter().filter_map(|(file, text)| {
        let module = module_of(file).or_else(|| {
            let inner = file.strip_prefix("tests/")?.strip_suffix(".rs")?;
            Some(format!(
                "tests::{}",
                inner.trim_end_matches("/mod").replace('/', "::")
            ))
        })?;
        let parts = module.split("::").map(str::to_owned).collect();
        Some((parts, text.as_str()))
    });
    modules.collect()
}

/// True for the path of an item (`store::outbox`, `delivery::stops::a_test`) that begins with a module of ours.
fn is_item(modules: &[(Vec<String>, &str)], text: &str) -> bool {
    let parts: Vec<&str> = text.split("::").collect();
    let is_name =
        |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    parts.len() > 1
        && parts.iter().all(is_name)
        && modules
            .iter()
            .any(|(path, _)| path.iter().any(|part| part == parts[0]))
}

/// True if a module's path ends with the first parts, and its text has the words of the others.
fn has_item(modules: &[(Vec<String>, &str)], text: &str) -> bool {
    let parts: Vec<&str> = text.split("::").collect();
    (1..=parts.len()).any(|length| {
        let (module, items) = parts.split_at(length);
        modules.iter().any(|(path, text)| {
            let end = &path[path.len().saturating_sub(length)..];
            end == module && items.iter().all(|item| has_word(text, item))
        })
    })
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .any(|found| found == word)
}

#[test]
fn a_path_or_module_that_does_not_exist_is_found() {
    let files = BTreeMap::from([
        ("src/store/mod.rs".to_owned(), "pub enum Pace {}".to_owned()),
        ("src/store/meta.rs".to_owned(), String::new()),
        ("tests/fuzz.rs".to_owned(), "fn a_test() {}".to_owned()),
    ]);
    assert!(is_path("store/meta.rs") && has_path(&files, "store/meta.rs"));
    assert!(is_path("store/") && has_path(&files, "store/") && has_path(&files, "src/store"));
    assert!(is_path("tests/gone") && !has_path(&files, "tests/gone"));
    assert!(!has_path(&files, "met.rs") && !has_path(&files, "stor/"));
    assert!(!is_path("/var/lib/orderfeed/") && !is_path("store.path") && !is_path("a/b"));
    let modules = modules_and_tests(&files);
    assert!(is_item(&modules, "store::meta") && !is_item(&modules, "std::fs") && !is_item(&modules, "store"));
    assert!(has_item(&modules, "store::meta") && has_item(&modules, "store::Pace"));
    assert!(has_item(&modules, "fuzz::a_test") && !has_item(&modules, "store::Writer"));
    assert_eq!(
        quoted_in("a `b`\n```\n`c`\n```\n`d`"),
        [(1, "b".to_owned()), (5, "d".to_owned())]
    );
}
