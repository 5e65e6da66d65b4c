//! Code shared by the tests: the real binary with its daemon, an embedded shop, the admin endpoint, golden files, and
//! a disk that fails on request. Databases, the edge and the oracle are in `orderfeed_test_support`.

pub mod admin;
pub mod daemon;
pub mod disk;
pub mod embedded;
pub mod golden;

pub use orderfeed_test_support::{database, edge, leaks, mariadb, oracle};
