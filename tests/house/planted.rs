//! The checker itself: it finds what was planted in a sample, and nothing in one that is sound.

use std::collections::BTreeMap;

use super::graph::Graph;
use super::parse::parse;

fn graph(files: &[(&str, &str)]) -> Graph {
    let texts: BTreeMap<String, String> = files.iter().map(|&(m, text)| (m.into(), text.into())).collect();
    Graph::of(&texts)
}

fn cycles(files: &[(&str, &str)]) -> Vec<String> {
    graph(files)
        .cycles()
        .into_iter()
        .map(|cycle| cycle.join(" → "))
        .collect()
}

#[test]
fn a_planted_circle_between_files_is_found_and_printed() {
    let found = cycles(&[
        ("crate", "pub mod a; pub mod b; pub mod c;"),
        ("crate::a", "use crate::b::{self, Thing};"),
        ("crate::b", "fn f() { crate::c::g::<u8>() }"),
        ("crate::c", "use super::a::Other as Different;"),
    ]);
    assert_eq!(found, ["crate::a → crate::b → crate::c → crate::a"]);
}

#[test]
fn a_circle_between_a_room_and_its_child_is_found() {
    let found = cycles(&[
        ("crate", "mod room;"),
        ("crate::room", "mod child; fn f() { child::g() }"),
        ("crate::room::child", "use super::{deep::{Er, Est}, Error};"),
        ("crate::room::deep", ""),
    ]);
    assert_eq!(found, ["crate::room → crate::room::child → crate::room"]);
}

#[test]
fn declaring_and_handing_on_a_child_is_no_dependency_but_using_it_is() {
    let child = ("crate::room::child", "use super::Thing; pub struct Shown;");
    let handing_on = "pub mod child; pub use child::Shown; pub struct Thing;";
    assert!(cycles(&[("crate::room", handing_on), child]).is_empty());
    let using = "pub mod child; pub use child::Shown; pub struct Thing(Shown);";
    assert_eq!(cycles(&[("crate::room", using), child]).len(), 1);
}

#[test]
fn what_a_room_hands_on_is_looked_for_where_it_is_defined() {
    let graph = graph(&[
        (
            "crate::room",
            "mod child; pub(crate) use self::child::Shown as Known;",
        ),
        ("crate::room::child", "pub struct Shown;"),
        ("crate::other", "use crate::room::Known;"),
    ]);
    let (_, uses) = graph
        .edges()
        .find(|(module, _)| *module == "crate::other")
        .unwrap();
    assert_eq!(uses.iter().collect::<Vec<_>>(), ["crate::room::child"]);
}

#[test]
fn comments_texts_and_tests_say_nothing_about_dependencies() {
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
    let parsed = parse(text);
    assert_eq!(parsed.used, [["crate", "c", "h"]]);
    assert_eq!(parsed.test_children, ["more"]);
}

#[test]
fn modules_for_tests_are_left_out_with_everything_under_them() {
    let graph = graph(&[
        ("crate::a", "#[cfg(test)] mod tests;"),
        ("crate::a::tests", "mod inner; use crate::b::X;"),
        ("crate::a::tests::inner", "use crate::b::X;"),
        ("crate::b", "use crate::a::Y;"),
    ]);
    assert_eq!(
        graph.edges().map(|(module, _)| module).collect::<Vec<_>>(),
        ["crate::a", "crate::b"]
    );
    assert!(graph.cycles().is_empty());
}
