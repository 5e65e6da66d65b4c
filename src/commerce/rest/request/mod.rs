//! Requests to the REST API of a shop.
//!
//! | module | content |
//! |---|---|
//! | [`query`] | search criteria and their encoding |
//! | [`sign`] | signatures of OAuth 1.0a |
//! | [`credentials`], [`ims`] | headers of a request; access tokens of Adobe's identity service |
//! | [`client`], [`body`] | one request with its attempts; an answer with a bound on its size |
//! | [`answer`] | the meaning of an answer |
//! | [`pace`] | the number of requests at once, and per second |
//! | [`search`] | all rows of a search |
//! | [`counts`] | the numbers of requests |

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod counts;
pub(crate) mod credentials;
pub(crate) mod ims;
pub(crate) mod pace;
pub(crate) mod query;
pub(crate) mod search;
pub(crate) mod sign;
