//! Links between documents work: the file exists, and has the heading that the anchor names.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::tree::{root, text_files};

#[test]
fn links_between_documents_work() {
    let files = text_files();
    let documents: BTreeMap<_, _> = files.iter().filter(|(name, _)| name.ends_with(".md")).collect();
    assert!(documents.contains_key(&"docs/OPERATIONS.md".to_owned()));
    let mut dead = Vec::new();
    for (name, text) in &documents {
        for link in links_of(text) {
            if !leads_to_a_file(name, &link, &files) {
                dead.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

/// Documents installed below `/usr/share/doc/orderfeed` link only to documents installed there.
#[test]
fn links_of_the_packages_documents_stay_within_the_package() {
    let files = text_files();
    let manifest = &files["Cargo.toml"];
    let packed = |target: &str| {
        (target.starts_with("docs/") && target.ends_with(".md"))
            || manifest.contains(&format!("[\"{target}\", \"usr/share/doc/"))
    };
    let mut outside = Vec::new();
    for (name, text) in files
        .iter()
        .filter(|(name, _)| name.ends_with(".md") && packed(name))
    {
        for link in links_of(text) {
            let path = link.split('#').next().unwrap_or_default();
            let target = if path.is_empty() {
                name.clone()
            } else {
                resolved(name, path)
            };
            if !packed(&target) {
                outside.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(outside.is_empty(), "not in the package:\n{}", outside.join("\n"));
}

#[test]
fn a_dead_link_is_found() {
    let files = BTreeMap::from([
        ("README.md".to_owned(), String::new()),
        (
            "docs/A.md".to_owned(),
            "# The `first` one: it's here\n".to_owned(),
        ),
    ]);
    let leads = |from, link| leads_to_a_file(from, link, &files);
    assert!(leads("README.md", "docs/A.md") && leads("docs/A.md", "../README.md"));
    assert!(
        leads("README.md", "docs/A.md#the-first-one-its-here")
            && leads("docs/A.md", "#the-first-one-its-here")
    );
    assert!(!leads("README.md", "A.md") && !leads("docs/A.md", "#the-second"));
    let text = "[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n[g](https://example.com/)";
    assert_eq!(links_of(text), ["b.md"]);
}

/// Targets of links within the repository, in order; links inside code are left out.
pub(super) fn links_of(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for prose in text.split("```").step_by(2) {
        let prose: String = prose.split('`').step_by(2).collect();
        for (start, _) in prose.match_indices("](") {
            let target = prose[start + 2..].split(')').next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                links.push(target.to_owned());
            }
        }
    }
    links
}

fn leads_to_a_file(from: &str, link: &str, files: &BTreeMap<String, String>) -> bool {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        from.to_owned()
    } else {
        resolved(from, path)
    };
    match files.get(&target) {
        Some(text) => anchor.is_empty() || anchors_of(text).any(|heading| heading == anchor),
        None => anchor.is_empty() && root().join(&target).is_file(),
    }
}

/// Resolves the relative `path` in the file `from`, from the repository's root.
fn resolved(from: &str, path: &str) -> String {
    let mut target = PathBuf::new();
    for part in Path::new(from).parent().into_iter().chain([Path::new(path)]) {
        for component in part.components() {
            match component {
                Component::ParentDir => _ = target.pop(),
                part => target.push(part),
            }
        }
    }
    target.to_string_lossy().into_owned()
}

/// The anchors that GitHub derives from the headings.
fn anchors_of(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| {
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
}
