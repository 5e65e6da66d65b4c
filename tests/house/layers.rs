//! The direction of dependencies: modules and crates use only those below them, and pure ones no database and no
//! network.

use std::collections::BTreeMap;

use super::graph::{Graph, is_within, unit_of};
use super::parse::tokens;
use super::tree::modules;

/// The units (top-level modules of `orderfeed`, and crates) that each unit may use. A new line here also changes the
/// drawing in `docs/ARCHITECTURE.md`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("orderfeed_model", &[]),
    ("orderfeed_events", &["orderfeed_model"]),
    ("orderfeed_memory", &[]),
    ("orderfeed_emulator", &["orderfeed_model"]),
    ("orderfeed_demo_shop", &["orderfeed_model"]),
    (
        "orderfeed_mock_commerce",
        &["orderfeed_model", "orderfeed_demo_shop"],
    ),
    (
        "orderfeed_demo_storefront",
        &["orderfeed_emulator", "orderfeed_demo_shop"],
    ),
    (
        "orderfeed_test_support",
        &[
            "orderfeed_model",
            "orderfeed_events",
            "orderfeed_emulator",
            "orderfeed_demo_shop",
        ],
    ),
    ("orderfeed", &[]),
    ("config", &["orderfeed_model"]),
    ("http", &[]),
    ("tls", &[]),
    ("commerce", &["orderfeed_model", "config", "http", "tls"]),
    ("store", &["orderfeed_model", "commerce"]),
    ("storefront", &["config", "commerce"]),
    ("first_sync", &["orderfeed_model", "config", "store"]),
    (
        "ops",
        &[
            "orderfeed_model",
            "orderfeed_events",
            "config",
            "store",
            "first_sync",
        ],
    ),
    (
        "indexer",
        &[
            "orderfeed_model",
            "orderfeed_events",
            "config",
            "commerce",
            "store",
            "first_sync",
            "ops",
        ],
    ),
    (
        "delivery",
        &[
            "orderfeed_model",
            "orderfeed_events",
            "config",
            "store",
            "ops",
            "http",
            "tls",
        ],
    ),
    (
        "web",
        &[
            "orderfeed_model",
            "orderfeed_events",
            "config",
            "store",
            "first_sync",
            "ops",
        ],
    ),
    (
        "daemon",
        &[
            "orderfeed_model",
            "orderfeed_events",
            "orderfeed_memory",
            "config",
            "commerce",
            "store",
            "storefront",
            "first_sync",
            "ops",
            "indexer",
            "delivery",
            "web",
        ],
    ),
    (
        "doctor",
        &[
            "orderfeed_model",
            "config",
            "commerce",
            "store",
            "storefront",
            "ops",
            "delivery",
            "daemon",
        ],
    ),
    (
        "cli",
        &[
            "orderfeed_model",
            "orderfeed_events",
            "orderfeed_emulator",
            "orderfeed_demo_shop",
            "orderfeed_demo_storefront",
            "orderfeed_mock_commerce",
            "config",
            "commerce",
            "store",
            "storefront",
            "first_sync",
            "ops",
            "indexer",
            "delivery",
            "daemon",
            "doctor",
        ],
    ),
];

/// Modules that use neither a database nor a network, directly or indirectly.
const PURE: [&str; 3] = ["orderfeed_events", "orderfeed_model", "storefront"];
const IMPURE: [&str; 6] = [
    "rusqlite",
    "reqwest",
    "hyper",
    "hyper_util",
    "tokio",
    "mysql_async",
];

#[test]
fn files_do_not_depend_on_each_other_in_a_cycle() {
    let graph = Graph::of(&modules());
    assert!(graph.edges().count() > 100, "the modules were not found");
    let cycles = graph.cycles();
    assert!(cycles.is_empty(), "cycles between files:\n{}", cycles.join("\n"));
}

#[test]
fn modules_and_crates_do_not_depend_on_each_other_in_a_cycle() {
    let cycles = Graph::of(&modules()).units().cycles();
    assert!(
        cycles.is_empty(),
        "cycles between top-level modules or crates:\n{}",
        cycles.join("\n")
    );
}

#[test]
fn modules_and_crates_use_only_those_below_them() {
    let allowed = MAY_USE.iter().copied().collect::<BTreeMap<_, _>>();
    let mut wrong = Vec::new();
    for (module, uses) in Graph::of(&modules()).edges() {
        let unit = unit_of(module);
        let may_use = allowed
            .get(unit)
            .unwrap_or_else(|| panic!("{unit} has no line in MAY_USE"));
        let others = uses
            .iter()
            .filter(|used| unit_of(used) != unit && !may_use.contains(&unit_of(used)));
        wrong.extend(others.map(|used| format!("{module} → {used}")));
    }
    assert!(
        wrong.is_empty(),
        "dependencies that MAY_USE does not allow:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_allowed_dependency_exists() {
    let units = Graph::of(&modules()).units();
    let found: BTreeMap<_, _> = units.edges().collect();
    let mut stale = Vec::new();
    for (unit, may_use) in MAY_USE {
        match found.get(*unit) {
            None => stale.push((*unit).to_owned()),
            Some(uses) => {
                let unused = may_use.iter().filter(|other| !uses.contains(**other));
                stale.extend(unused.map(|other| format!("{unit} → {other}")));
            }
        }
    }
    assert!(
        stale.is_empty(),
        "remove these from MAY_USE:\n{}",
        stale.join("\n")
    );
}

#[test]
fn pure_modules_use_no_database_and_no_network() {
    let texts = modules();
    let graph = Graph::of(&texts);
    let reached = graph.reachable(|module| PURE.iter().any(|pure| is_within(module, pure)));
    assert!(reached.len() > 10, "the modules were not found");
    for module in reached {
        let tokens = tokens(&texts[module]);
        let impure = tokens.iter().find(|token| IMPURE.contains(&token.as_str()));
        assert_eq!(impure, None, "{module} is pure or used by a pure module");
    }
}
