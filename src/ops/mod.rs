//! What an on-call person looks at.

pub mod logging;
pub mod sentence;
pub mod status;
