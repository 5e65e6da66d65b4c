//! The state of the intake: the work that may add to the store. `indexer::intake` decides it.

use serde::{Serialize, Serializer};

use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// Key in `meta` of the flow and the time since which it lasts, in milliseconds since the epoch.
const INTAKE: &str = "intake";

/// The work that may add to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    #[default]
    Open,
    /// Live changes only; backfills wait until the outbox has room.
    HistoryWaits,
    /// Nothing, until the shortage is over.
    Paused(Shortage),
}

/// The resource that is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    Outbox,
    Disk,
}

impl Flow {
    pub const ALL: [Self; 4] = [
        Self::Open,
        Self::HistoryWaits,
        Self::Paused(Shortage::Outbox),
        Self::Paused(Shortage::Disk),
    ];

    /// Returns the word in `status`, in `/metrics` and in the table `meta`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::HistoryWaits => "history_waits",
            Self::Paused(Shortage::Outbox) => "paused_outbox_full",
            Self::Paused(Shortage::Disk) => "paused_disk_nearly_full",
        }
    }
}

impl Serialize for Flow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Reader<'_> {
    /// Returns the stored flow and the time since which it lasts; `None` before the first start.
    pub fn intake(&self) -> Result<Option<(Flow, UtcMillis)>, StoreError> {
        let stored = self.meta(INTAKE)?.unwrap_or_default();
        let (word, since) = stored.split_once(' ').unwrap_or_default();
        let flow = Flow::ALL.into_iter().find(|flow| flow.as_str() == word);
        Ok(flow.zip(since.parse().ok().map(UtcMillis)))
    }
}

impl Writer<'_> {
    pub fn set_intake(&mut self, flow: Flow, since: UtcMillis) -> Result<(), StoreError> {
        self.set_meta(INTAKE, &format!("{} {}", flow.as_str(), since.0))
    }
}
