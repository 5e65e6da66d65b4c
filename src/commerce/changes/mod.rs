//! Finding changes: the watched tables, the window over late commits, and the triggers. Pure.

pub mod triggers;
pub(crate) mod watched;
pub(crate) mod window;
