//! Reading of orders: whole ones by id, and the ids of the history.
//!
//! | module | content |
//! |---|---|
//! | [`batch`] | whole orders by id, in six requests; one bad order is isolated |
//! | [`consistency`] | orders that changed while they were read |
//! | [`missing`], [`suspicions`] | orders that a list leaves out; two answers prove a deletion |
//! | [`ids`] | pages of ids, ranges, counts |
//! | [`window`] | the number of orders that are read at once |
//! | [`stores`] | the store tree, and labels |

mod batch;
mod consistency;
pub(in crate::commerce::rest) mod ids;
mod missing;
pub(crate) mod stores;
pub(crate) mod suspicions;
pub(crate) mod window;
