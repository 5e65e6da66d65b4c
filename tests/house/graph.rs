//! Which file depends on which, and where that goes round in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{Parsed, parse};

/// Modules by their path (`crate::store::outbox`), each with the modules that it uses.
#[derive(Debug, Default)]
pub struct Graph {
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// The graph of these modules: path and text of each. Modules that are declared for tests only are left out.
    pub fn of(texts: &BTreeMap<String, String>) -> Self {
        let mut modules: BTreeMap<&str, Parsed> =
            texts.iter().map(|(m, text)| (m.as_str(), parse(text))).collect();
        let for_tests: Vec<String> = modules
            .iter()
            .flat_map(|(module, parsed)| {
                parsed
                    .test_children
                    .iter()
                    .map(move |child| format!("{module}::{child}"))
            })
            .collect();
        modules.retain(|module, _| !for_tests.iter().any(|test| lies_in(module, test)));
        let edges = modules
            .iter()
            .map(|(&module, parsed)| (module.to_owned(), uses(&modules, module, parsed)));
        Self {
            edges: edges.collect(),
        }
    }

    /// Every module with what it uses.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.edges.iter().map(|(module, uses)| (module.as_str(), uses))
    }

    /// The same graph between the rooms: the first part of each path.
    pub fn rooms(&self) -> Self {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, uses) in self.edges() {
            let room = room_of(module);
            let others = uses
                .iter()
                .map(|used| room_of(used))
                .filter(|other| *other != room);
            edges
                .entry(room.to_owned())
                .or_default()
                .extend(others.map(str::to_owned));
        }
        Self { edges }
    }

    /// What these modules use, directly or through others, themselves included.
    pub fn reachable(&self, from: impl Fn(&str) -> bool) -> BTreeSet<&str> {
        let mut open: Vec<&str> = self
            .edges
            .keys()
            .map(String::as_str)
            .filter(|module| from(module))
            .collect();
        let mut reached = BTreeSet::new();
        while let Some(module) = open.pop() {
            if reached.insert(module) {
                open.extend(self.edges.get(module).into_iter().flatten().map(String::as_str));
            }
        }
        reached
    }

    /// A shortest circle for each module that lies on one, without repeating a circle.
    pub fn cycles(&self) -> Vec<Vec<&str>> {
        let mut found: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
        for module in self.edges.keys() {
            if let Some(cycle) = self.way_back(module) {
                found.entry(cycle.iter().copied().collect()).or_insert(cycle);
            }
        }
        found.into_values().collect()
    }

    /// The shortest way from a module to itself.
    fn way_back<'a>(&'a self, start: &'a str) -> Option<Vec<&'a str>> {
        let mut ways = std::collections::VecDeque::from([vec![start]]);
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop_front() {
            for next in self.edges.get(*way.last()?).into_iter().flatten() {
                let mut longer = way.clone();
                longer.push(next);
                if next == start {
                    return Some(longer);
                }
                if seen.insert(next) {
                    ways.push_back(longer);
                }
            }
        }
        None
    }
}

/// The top-level module that a module belongs to.
pub fn room_of(module: &str) -> &str {
    module.split("::").nth(1).unwrap_or("crate")
}

fn lies_in(module: &str, ancestor: &str) -> bool {
    module
        .strip_prefix(ancestor)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn uses(modules: &BTreeMap<&str, Parsed>, module: &str, parsed: &Parsed) -> BTreeSet<String> {
    let written = parsed.used.iter();
    // What a file hands on is its business only if it also uses it itself.
    let handed_on = parsed
        .handed_on
        .iter()
        .filter(|(name, _)| parsed.words.contains(name))
        .map(|(_, path)| path);
    let targets = written
        .chain(handed_on)
        .map(|path| target(modules, &absolute(module, path), 0));
    targets.filter(|target| target != module).collect()
}

/// A path as seen from the crate's root.
fn absolute(module: &str, path: &[String]) -> Vec<String> {
    let mut here: Vec<String> = module.split("::").map(str::to_owned).collect();
    for (at, part) in path.iter().enumerate() {
        match part.as_str() {
            "crate" if at == 0 => here.truncate(1),
            "self" => {}
            "super" => {
                here.pop();
            }
            _ => here.push(part.clone()),
        }
    }
    here
}

/// The module in which what a path names is defined: the longest part of it that is a module, or where that module
/// has it from.
fn target(modules: &BTreeMap<&str, Parsed>, path: &[String], hops: usize) -> String {
    let prefixes = (1..=path.len())
        .rev()
        .map(|length| (length, path[..length].join("::")));
    let found = prefixes
        .into_iter()
        .find(|(_, name)| modules.contains_key(name.as_str()));
    let Some((length, module)) = found else {
        return "crate".into();
    };
    let origin = path.get(length).and_then(|item| {
        let handed_on = &modules[module.as_str()].handed_on;
        handed_on
            .iter()
            .find(|(name, _)| name == item)
            .map(|(_, path)| path)
    });
    match origin {
        Some(origin) if hops < 8 && is_ours(modules, &module, origin) => {
            let mut origin = absolute(&module, origin);
            origin.extend_from_slice(&path[length + 1..]);
            target(modules, &origin, hops + 1)
        }
        _ => module,
    }
}

fn is_ours(modules: &BTreeMap<&str, Parsed>, module: &str, path: &[String]) -> bool {
    let first = path.first().map(String::as_str).unwrap_or_default();
    matches!(first, "crate" | "self" | "super") || modules[module].children.iter().any(|child| child == first)
}
