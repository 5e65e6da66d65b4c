//! Support for whole-program tests and benchmarks, without the daemon: database servers, the edge, and an oracle.
//!
//! Functions panic when a fixture cannot be set up or used: the test that called them has then failed, and the panic names
//! the cause. They return no errors.
//!
//! | module | content |
//! |---|---|
//! | [`server`], [`product`] | private MariaDB and MySQL servers for a run of the tests |
//! | [`database`] | a shop's database on that server: tables, accounts, grants |
//! | [`edge`] | the emulator as the edge of the shop's websites, with assertions over its ledger |
//! | [`network`] | a TCP proxy that stops forwarding, and an address at which connections hang |
//! | [`oracle`] | the events a shop's tables call for, computed by SQL |
//! | [`proxy`] | a proxy that opens connections by CONNECT |
//! | [`leaks`] | a search for secrets and personal data in logs |

pub mod database;
pub mod edge;
pub mod leaks;
pub mod network;
pub mod oracle;
pub mod product;
pub mod proxy;
pub mod server;
