//! Metrics of the process and of the store's disk.

use std::path::Path;

use crate::ops::openmetrics::{Exposition, Kind};
use crate::store::file::space::free_bytes;
use orderfeed_model::clock::UtcMillis;

/// Measurements of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessStats {
    /// `None` if `/proc` cannot be read.
    pub(super) resident_bytes: Option<u64>,
    /// Free space on the store's disk for the daemon's user.
    pub(super) free_bytes: Option<u64>,
}

impl ProcessStats {
    /// Measures this process and the disk of `store`.
    pub(crate) fn measure(store: &Path) -> Self {
        Self {
            resident_bytes: resident_bytes(),
            free_bytes: free_bytes(store),
        }
    }
}

/// Reads the second field of `/proc/self/statm`, in pages (proc_pid_statm(5)).
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

pub(super) fn render(text: &mut Exposition, process: ProcessStats, started_at: UtcMillis) {
    if let Some(free) = process.free_bytes {
        text.family(
            "orderfeed_store_free_bytes",
            Kind::Gauge,
            "Free space on the store's disk.",
        )
        .count(&[], free);
    }
    if let Some(resident) = process.resident_bytes {
        text.family("process_resident_memory_bytes", Kind::Gauge, "Resident memory.")
            .count(&[], resident);
    }
    text.family(
        "process_start_time_seconds",
        Kind::Gauge,
        "When the daemon started.",
    )
    .seconds(&[], started_at.0);
}
