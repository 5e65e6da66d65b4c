//! Orders of the shop: the actions on them and the rows these write.

pub mod actions;
pub(crate) mod basket;
pub(crate) mod document_rows;
pub(crate) mod documents;
pub(crate) mod model;
pub(crate) mod placing;
pub(crate) mod recorder;
pub(crate) mod refunds;
pub(crate) mod returns;
pub(crate) mod rows;
