//! Reading whole orders: tables and columns, the SQL over them, and decoding. One definition serves both databases.

pub(crate) mod assemble;
pub(crate) mod cells;
pub(crate) mod conditions;
pub(crate) mod decode;
mod options;
pub(crate) mod queries;
#[doc(hidden)]
pub mod rows;
pub(crate) mod schema;
pub(crate) mod spec;
pub(crate) mod tables;
