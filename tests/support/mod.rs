//! What the tests share: a real MariaDB, the shop in it, and an oracle of the events that its tables call for.

pub mod database;
pub mod mariadb;
pub mod oracle;
