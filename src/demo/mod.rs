//! The embedded shop: Commerce's sales tables with simulated shoppers and merchants.
//!
//! | file | what lives there |
//! |---|---|
//! | [`columns`], [`tables`], [`schema`] | the real sales tables, described once, as DDL for SQLite and MySQL |

pub mod columns;
pub mod schema;
pub mod tables;
mod tables_document;
mod tables_order;
