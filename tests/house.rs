//! The house is as `docs/ARCHITECTURE.md` draws it: no module depends on itself in a circle, rooms use only the rooms
//! below them, what is said to be pure is pure, and files stay small and
//! explained.

mod bugs;
mod catalog;
mod graph;
mod links;
mod messages;
mod parse;
mod planted;
mod rules;
mod tree;
