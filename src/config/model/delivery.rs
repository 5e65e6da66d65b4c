//! How events leave: batching, lanes, rate, retries, and what they may carry.

use crate::config::values::{Choice, HumanDuration};

/// `[delivery]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Largest request body in bytes; the edge refuses more than 65,536.
    pub max_batch_bytes: usize,
    /// Most events in one request.
    pub max_batch_events: usize,
    /// Most requests in flight per website; what is used adapts below it.
    pub lanes: usize,
    /// Most request units a second over all websites; 0 means no gate. The edge counts one unit for each 8 KiB of a
    /// request that are begun.
    pub request_units_per_second: u32,
    /// While so many events wait, history is not read in; live changes always enter.
    pub max_pending_events: u64,
    /// Longest wait for a connection to the edge.
    pub connect_timeout: HumanDuration,
    /// Longest time for a whole request, connection included.
    pub timeout: HumanDuration,
    /// How long a stop waits for requests in flight.
    pub stop_budget: HumanDuration,
    /// `[delivery.retry]`.
    pub retry: Retry,
}

/// `[delivery.retry]`: the pause doubles from `initial` up to `max`, with jitter, without end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Pause before the first retry.
    pub initial: HumanDuration,
    /// Longest pause.
    pub max: HumanDuration,
}

/// `[privacy]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privacy {
    /// What an event's payload may carry.
    pub profile: PrivacyProfile,
    /// The identity namespace of guests without e-mail; it must exist at Adobe.
    pub guest_namespace: String,
}

/// What an event's payload may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PrivacyProfile {
    /// Nothing that names or locates a person.
    #[default]
    Anonymized,
    /// Also the personal fields of Adobe's field tables.
    Full,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            max_batch_bytes: 60_000,
            max_batch_events: 100,
            lanes: 32,
            request_units_per_second: 3000,
            max_pending_events: 5_000_000,
            connect_timeout: HumanDuration::from_secs(5),
            timeout: HumanDuration::from_secs(30),
            stop_budget: HumanDuration::from_secs(15),
            retry: Retry::default(),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            initial: HumanDuration::from_secs(1),
            max: HumanDuration::from_secs(300),
        }
    }
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            profile: PrivacyProfile::default(),
            guest_namespace: "commerceOrder".into(),
        }
    }
}

impl Choice for PrivacyProfile {
    const NAMES: &'static [(&'static str, Self)] = &[("anonymized", Self::Anonymized), ("full", Self::Full)];
}
