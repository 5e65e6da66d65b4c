//! Commands that only read: `status`, `explain`, `doctor`.

pub mod doctor;
pub mod explain;
pub mod status;
