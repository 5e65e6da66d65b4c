//! Read-only commands about the daemon and single orders.

pub mod doctor;
pub mod explain;
pub mod status;
