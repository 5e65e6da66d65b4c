//! Search criteria in the query of a list, their SQL, and the filter of the fields of an answer.

pub(crate) mod criteria;
pub(crate) mod fields;
pub(crate) mod query;
pub(crate) mod sql;
