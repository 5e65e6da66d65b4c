//! What an on-call person looks at.

mod line;
pub mod logging;
pub mod sentence;
pub mod status;
