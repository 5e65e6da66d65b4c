//! What the tests share: the real binary and its daemon, a real MariaDB, the edge emulator, the shop, and an oracle of the
//! events that the shop's tables call for.

pub mod admin;
pub mod daemon;
pub mod database;
pub mod disk;
pub mod edge;
pub mod embedded;
pub mod golden;
pub mod leaks;
pub mod mariadb;
pub mod oracle;
