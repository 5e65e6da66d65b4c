//! The dependency graph of all modules of the workspace, and its cycles.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{Parsed, parse};

/// Modules by their path from the crate (`orderfeed::store::outbox`, `orderfeed_model::clock`), each with the modules
/// that it uses.
#[derive(Debug, Default)]
pub struct Graph {
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Builds the graph from the path and text of each module. Modules that are declared for tests only are left out.
    pub fn of(texts: &BTreeMap<String, String>) -> Self {
        let crates: BTreeSet<&str> = texts.keys().map(|module| crate_of(module)).collect();
        let parsed = texts
            .iter()
            .map(|(module, text)| (module.as_str(), parse(text, &crates)));
        let mut modules: BTreeMap<&str, Parsed> = parsed.collect();
        let for_tests = test_modules(texts);
        modules.retain(|module, _| !for_tests.iter().any(|test| is_within(module, test)));
        let resolver = Resolver { modules, crates };
        let edges = resolver
            .modules
            .keys()
            .map(|&module| (module.to_owned(), resolver.uses(module)));
        Self {
            edges: edges.collect(),
        }
    }

    /// Every module with the modules it uses.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.edges.iter().map(|(module, uses)| (module.as_str(), uses))
    }

    /// The same graph between units: top-level modules of `orderfeed` and the other crates.
    pub fn units(&self) -> Self {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, uses) in self.edges() {
            let unit = unit_of(module);
            let others = uses
                .iter()
                .map(|used| unit_of(used))
                .filter(|other| *other != unit);
            edges
                .entry(unit.to_owned())
                .or_default()
                .extend(others.map(str::to_owned));
        }
        Self { edges }
    }

    /// All modules that these use, directly or indirectly, including themselves.
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

    /// A shortest cycle through each module that is part of one, each cycle once, as `a → b → a`.
    pub fn cycles(&self) -> Vec<String> {
        let mut found: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
        for module in self.edges.keys() {
            if let Some(cycle) = self.cycle_through(module) {
                found.entry(cycle.iter().copied().collect()).or_insert(cycle);
            }
        }
        found.into_values().map(|cycle| cycle.join(" → ")).collect()
    }

    /// The shortest path from a module to itself.
    fn cycle_through<'a>(&'a self, start: &'a str) -> Option<Vec<&'a str>> {
        let mut paths = std::collections::VecDeque::from([vec![start]]);
        let mut seen = BTreeSet::new();
        while let Some(path) = paths.pop_front() {
            for next in self.edges.get(*path.last()?).into_iter().flatten() {
                let mut longer = path.clone();
                longer.push(next);
                if next == start {
                    return Some(longer);
                }
                if seen.insert(next) {
                    paths.push_back(longer);
                }
            }
        }
        None
    }
}

/// The modules that are declared for tests only. Those inside them are not listed.
pub fn test_modules(texts: &BTreeMap<String, String>) -> Vec<String> {
    let crates = BTreeSet::new();
    texts
        .iter()
        .flat_map(|(module, text)| {
            let children = parse(text, &crates).test_children;
            children
                .into_iter()
                .map(move |child| format!("{module}::{child}"))
        })
        .collect()
}

/// The crate that a module belongs to.
pub fn crate_of(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// The unit that a module belongs to: for `orderfeed` its top-level module, otherwise its crate.
pub fn unit_of(module: &str) -> &str {
    match module.strip_prefix("orderfeed::") {
        Some(inner) => inner.split("::").next().unwrap_or_default(),
        None => crate_of(module),
    }
}

/// True if the module is `ancestor` or inside it.
pub fn is_within(module: &str, ancestor: &str) -> bool {
    module
        .strip_prefix(ancestor)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Finds the module behind a path.
struct Resolver<'a> {
    modules: BTreeMap<&'a str, Parsed>,
    crates: BTreeSet<&'a str>,
}

impl Resolver<'_> {
    fn uses(&self, module: &str) -> BTreeSet<String> {
        let parsed = &self.modules[module];
        // A file depends on what it re-exports only if it also uses it itself.
        let used_reexports = parsed
            .reexports
            .iter()
            .filter(|(name, _)| parsed.words.contains(name))
            .map(|(_, path)| path);
        let targets = parsed
            .used
            .iter()
            .chain(used_reexports)
            .map(|path| self.target(&self.absolute(module, path), 0));
        targets.filter(|target| target != module).collect()
    }

    /// The path from its crate, as written in this module.
    fn absolute(&self, module: &str, path: &[String]) -> Vec<String> {
        let mut here: Vec<String> = module.split("::").map(str::to_owned).collect();
        for (at, part) in path.iter().enumerate() {
            match part.as_str() {
                "crate" if at == 0 => here.truncate(1),
                "self" => {}
                "super" => {
                    here.pop();
                }
                part if at == 0 && self.crates.contains(part) => here = vec![part.to_owned()],
                _ => here.push(part.clone()),
            }
        }
        here
    }

    /// The module that defines the item: the longest prefix of the path that is a module, or the module from which
    /// that one re-exports the item.
    fn target(&self, path: &[String], hops: usize) -> String {
        let prefixes = (1..=path.len())
            .rev()
            .map(|length| (length, path[..length].join("::")));
        let found = prefixes
            .into_iter()
            .find(|(_, name)| self.modules.contains_key(name.as_str()));
        let Some((length, module)) = found else {
            return path.first().cloned().unwrap_or_default();
        };
        let origin = path.get(length).and_then(|item| {
            let reexports = &self.modules[module.as_str()].reexports;
            reexports
                .iter()
                .find(|(name, _)| name == item)
                .map(|(_, path)| path)
        });
        match origin {
            Some(origin) if hops < 8 && self.is_local(&module, origin) => {
                let mut origin = self.absolute(&module, origin);
                origin.extend_from_slice(&path[length + 1..]);
                self.target(&origin, hops + 1)
            }
            _ => module,
        }
    }

    /// True if the path leads to a module of the workspace.
    fn is_local(&self, module: &str, path: &[String]) -> bool {
        let first = path.first().map(String::as_str).unwrap_or_default();
        matches!(first, "crate" | "self" | "super")
            || self.crates.contains(first)
            || self.modules[module].children.iter().any(|child| child == first)
    }
}
