//! Metrics of the process and of the store's disk.

use std::path::Path;

use crate::store::file::space::free_bytes;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessStats {
    /// `None` if `/proc` cannot be read.
    pub(super) resident_bytes: Option<u64>,
    /// Free space on the store's disk for the daemon's user.
    pub(super) free_bytes: Option<u64>,
}

impl ProcessStats {
    pub(crate) fn measure(store: &Path) -> Self {
        Self {
            resident_bytes: orderfeed_memory::resident_bytes(),
            free_bytes: free_bytes(store),
        }
    }
}
