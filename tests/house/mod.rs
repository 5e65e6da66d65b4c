//! Repository rules, checked on the source: modules and crates depend on each other only as `docs/ARCHITECTURE.md`
//! draws it, pure modules stay pure, files stay short, and code, tables and documentation agree with each other.

mod bugs;
mod catalog;
mod dependencies;
mod docs;
mod files;
mod graph;
mod graph_tests;
mod keys;
mod layers;
mod lex;
mod links;
mod messages;
mod module_tables;
mod pages;
mod parse;
mod phrases;
mod prose;
mod tables;
mod tree;
mod voice;
