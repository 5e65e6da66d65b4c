//! The database file: opening, locking, ownership, free space, and checks for damage.

pub(crate) mod check;
pub(crate) mod damage;

pub(crate) mod lock;
pub(crate) mod open;
pub(crate) mod owner;
pub mod space;
pub mod sqlite_locks;
