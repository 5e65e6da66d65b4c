//! Support that the tests share: the real binary with its daemon, an embedded shop, the admin endpoint, golden files, and a
//! disk that breaks on request. Databases, the edge and the oracle come from `orderfeed_test_support`.

pub mod admin;
pub mod daemon;
pub mod disk;
pub mod embedded;
pub mod golden;

pub use orderfeed_test_support::{database, edge, leaks, mariadb, oracle};
