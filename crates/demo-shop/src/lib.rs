//! A simulated shop in the sales tables of Adobe Commerce, with shoppers and merchants. It fills the demo's shop and the
//! databases of the tests.
//!
//! | module | content |
//! |---|---|
//! | [`tables`] | the sales tables as DDL for SQLite and MySQL, and Commerce's own changelog |
//! | [`amount`], [`sql`] | exact numbers; statements that both dialects accept |
//! | [`shop`] | the live shop, one transaction at a time: stores, catalogue, people |
//! | [`orders`] | an order in memory, Commerce's state machine, the actions and the rows they write |
//! | [`history`] | the history of a shop, written in bulk |
//! | [`embedded`] | a shop in a SQLite file |

pub mod amount;
pub mod embedded;
pub mod history;
pub mod orders;
pub mod shop;
pub mod sql;
pub mod tables;

#[cfg(test)]
mod tests;
