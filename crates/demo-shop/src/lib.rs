//! The embedded shop: Commerce's sales tables with simulated shoppers and merchants. It makes the demo's store, and
//! fills the databases of the tests.
//!
//! | file | what lives there |
//! |---|---|
//! | [`columns`], [`tables`], [`schema`], [`mview`] | the real sales tables, described once, as DDL for SQLite and MySQL; Commerce's own changelog |
//! | [`amount`], [`sql`] | exact numbers; statements that both dialects take |
//! | `stores`, `catalog`, `people` | where one buys, what there is, and who buys |
//! | `model` | an order in memory and Commerce's state machine over it |
//! | `pen`, `rows`, `placing`, `document_rows`, `documents`, `refunds`, `returns`, [`deeds`] | what happens to an order, and the rows that it leaves |
//! | [`shop`] | the simulated shop: live, one transaction at a time |
//! | [`history`] | its past, in bulk |
//! | [`embedded`] | its SQLite file |

pub mod amount;
pub mod embedded;
pub mod history;
pub mod shop;
pub mod sql;
pub mod tables;

pub mod orders;
#[cfg(test)]
mod tests;
