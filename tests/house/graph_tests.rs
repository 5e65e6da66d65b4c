//! Tests of the dependency graph itself: it finds the cycles planted in small samples, and nothing in sound ones.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, unit_of};
use super::parse::parse;

fn graph(files: &[(&str, &str)]) -> Graph {
    let texts: BTreeMap<String, String> = files.iter().map(|&(m, text)| (m.into(), text.into())).collect();
    Graph::of(&texts)
}

fn cycles(files: &[(&str, &str)]) -> Vec<String> {
    graph(files).cycles()
}

fn uses<'a>(graph: &'a Graph, module: &str) -> Vec<&'a str> {
    let (_, uses) = graph.edges().find(|(name, _)| *name == module).unwrap();
    uses.iter().map(String::as_str).collect()
}

#[test]
fn a_cycle_between_files_is_found_and_printed() {
    let found = cycles(&[
        ("x", "pub mod a; pub mod b; pub mod c;"),
        ("x::a", "use crate::b::{self, Thing};"),
        ("x::b", "fn f() { crate::c::g::<u8>() }"),
        ("x::c", "use super::a::Other as Different;"),
    ]);
    assert_eq!(found, ["x::a → x::b → x::c → x::a"]);
}

#[test]
fn a_cycle_between_a_module_and_its_child_is_found() {
    let found = cycles(&[
        ("x", "mod a;"),
        ("x::a", "mod child; fn f() { child::g() }"),
        ("x::a::child", "use super::{deep::{Er, Est}, Error};"),
        ("x::a::deep", ""),
    ]);
    assert_eq!(found, ["x::a → x::a::child → x::a"]);
}

#[test]
fn a_cycle_between_crates_is_found() {
    let found = cycles(&[
        ("x", "pub mod a;"),
        ("x::a", "use x_model::order::Order;"),
        ("x_model", "pub mod order;"),
        ("x_model::order", "fn f() { x::a::g() }"),
    ]);
    assert_eq!(found, ["x::a → x_model::order → x::a"]);
}

#[test]
fn declaring_and_reexporting_a_child_is_no_dependency_but_using_it_is() {
    let child = ("x::a::child", "use super::Thing; pub struct Shown;");
    let reexporting = "pub mod child; pub use child::Shown; pub struct Thing;";
    assert!(cycles(&[("x::a", reexporting), child]).is_empty());
    let using = "pub mod child; pub use child::Shown; pub struct Thing(Shown);";
    assert_eq!(cycles(&[("x::a", using), child]).len(), 1);
}

#[test]
fn a_reexported_item_belongs_to_the_module_that_defines_it() {
    let graph = graph(&[
        ("x", "pub mod a; pub mod b; pub use x_model::order;"),
        ("x::a", "mod child; pub(crate) use self::child::Shown as Known;"),
        ("x::a::child", "pub struct Shown;"),
        ("x::b", "use crate::a::Known; use crate::order::Order;"),
        ("x_model", "pub mod order; pub use crate::order::Order as Shop;"),
        ("x_model::order", "pub struct Order;"),
        ("x_other", "use x_model::Shop;"),
    ]);
    assert_eq!(uses(&graph, "x::b"), ["x::a::child", "x_model::order"]);
    assert_eq!(uses(&graph, "x_other"), ["x_model::order"]);
}

#[test]
fn units_are_the_top_level_modules_of_orderfeed_and_the_other_crates() {
    assert_eq!(unit_of("orderfeed"), "orderfeed");
    assert_eq!(unit_of("orderfeed::store::outbox"), "store");
    assert_eq!(unit_of("orderfeed_model"), "orderfeed_model");
    assert_eq!(unit_of("orderfeed_model::clock"), "orderfeed_model");
    let units = graph(&[
        ("orderfeed::a::x", "use crate::b::Y; use super::z::Z;"),
        ("orderfeed::a::z", "use orderfeed_model::clock::Clock;"),
        ("orderfeed::b", ""),
        ("orderfeed_model", ""),
    ])
    .units();
    assert_eq!(uses(&units, "a"), ["b", "orderfeed_model"]);
}

#[test]
fn comments_literals_and_tests_are_no_dependencies() {
    let text = r##"
        //! See [`crate::b`].
        /* crate::b /* crate::b */ crate::b */
        const A: &str = "crate::b::x \" crate::b"; const B: &str = r#"crate::b " "#; const C: char = '"';
        fn f<'a>(x: &'a str) { g('\'', "crate::b") }
        #[cfg(test)]
        mod tests { use crate::b::X; fn f() { if true { } } }
        #[cfg(test)]
        #[path = "x"]
        pub(crate) mod more;
        fn after() { crate::c::h() }
    "##;
    let parsed = parse(text, &BTreeSet::new());
    assert_eq!(parsed.used, [["crate", "c", "h"]]);
    assert_eq!(parsed.test_children, ["more"]);
}

#[test]
fn modules_for_tests_are_left_out_with_everything_under_them() {
    let graph = graph(&[
        ("x::a", "#[cfg(test)] mod tests;"),
        ("x::a::tests", "mod inner; use crate::b::X;"),
        ("x::a::tests::inner", "use crate::b::X;"),
        ("x::b", "use crate::a::Y;"),
    ]);
    assert_eq!(
        graph.edges().map(|(module, _)| module).collect::<Vec<_>>(),
        ["x::a", "x::b"]
    );
    assert!(graph.cycles().is_empty());
}
