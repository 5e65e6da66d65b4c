//! The item lines of an order: which items belong together, what the shopper chose, and how amounts are shared.

pub(crate) mod families;
pub(crate) mod lines;
pub(crate) mod options;
pub(crate) mod shares;
