//! What happens to an order in the shop, and the rows that it leaves.

pub mod actions;
pub(crate) mod document_rows;
pub(crate) mod documents;
pub(crate) mod model;
pub(crate) mod placing;
pub(crate) mod recorder;
pub(crate) mod refunds;
pub(crate) mod returns;
pub(crate) mod rows;
