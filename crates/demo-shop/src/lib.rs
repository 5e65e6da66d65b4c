//! The embedded shop: Commerce's sales tables with simulated shoppers and merchants. It makes the demo's store, and
//! fills the databases of the tests.
//!
//! | module | purpose |
//! |---|---|
//! | [`tables`] | Commerce's sales tables, described once, as DDL for SQLite and MySQL; Commerce's own changelog |
//! | [`orders`] | an order in memory, Commerce's state machine over it, and the rows that each action writes |
//! | [`shop`] | the simulated shop: live, one transaction at a time |
//! | [`history`] | the shop's past orders, in bulk |
//! | [`embedded`] | the SQLite file of the demo |
//! | [`amount`], [`sql`] | exact numbers; statements that both dialects accept |

pub mod amount;
pub mod embedded;
pub mod history;
pub mod orders;
pub mod shop;
pub mod sql;
pub mod tables;

#[cfg(test)]
mod tests;
