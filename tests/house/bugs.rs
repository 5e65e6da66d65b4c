//! The deliberate bugs in `tests/bugs` still apply, and the tests that catch them exist. `tests/bugs/run` plants the
//! bugs and runs those tests, which takes minutes; this check takes none.

use std::collections::BTreeSet;

use super::tree::text_files;

#[test]
fn every_invariant_has_a_deliberate_bug_that_applies_and_names_tests_that_exist() {
    let files = text_files();
    let bugs = || files.iter().filter(|(name, _)| name.starts_with("tests/bugs/I"));
    let invariants: BTreeSet<_> = bugs()
        .filter_map(|(name, _)| name.trim_start_matches("tests/bugs/").split('-').next())
        .collect();
    let expected: Vec<String> = (1..=11).map(|number| format!("I{number}")).collect();
    assert!(
        expected.iter().all(|name| invariants.contains(name.as_str())),
        "{invariants:?}"
    );
    for (name, patch) in bugs() {
        assert!(patch.starts_with("Bug: "), "{name} does not describe its bug");
        for (file, before) in hunks(patch) {
            let fits = files.get(&file).is_some_and(|text| text.contains(&before));
            assert!(fits, "{name} does not apply to {file}:\n{before}");
        }
        let tests: Vec<_> = patch
            .lines()
            .filter_map(|line| line.strip_prefix("Caught by: "))
            .collect();
        assert!(!tests.is_empty(), "{name} names no test");
        for test in tests {
            assert!(
                files.iter().any(|(file, text)| holds(file, text, test)),
                "{name}: {test} does not exist"
            );
        }
    }
}

/// Returns true if the file is the one of the test's module and has the test.
fn holds(file: &str, text: &str, test: &str) -> bool {
    let (_, path) = test.split_once(' ').unwrap_or_default();
    let (modules, function) = path.rsplit_once("::").unwrap_or_default();
    let modules = modules.replace("::", "/");
    let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
    // Unit tests may be a module within the file that they test.
    let inline = modules.trim_end_matches("/tests");
    (stem.ends_with(&modules) || stem.ends_with(inline)) && text.contains(&format!("fn {function}("))
}

/// Returns, for each hunk of a patch, its file and the text that it changes.
fn hunks(patch: &str) -> Vec<(String, String)> {
    let (mut file, mut found) = (String::new(), Vec::new());
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("--- a/") {
            file = name.to_owned();
        } else if line.starts_with("@@ ") {
            found.push((file.clone(), String::new()));
        } else if let (Some(kept), Some((_, before))) = (
            line.strip_prefix(' ').or_else(|| line.strip_prefix('-')),
            found.last_mut(),
        ) {
            before.push_str(kept);
            before.push('\n');
        }
    }
    found
}
