//! The clock. No other module reads the wall clock: callers pass a [`UtcMillis`] or a [`Clock`], so that tests and
//! simulations control time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Serialize, Serializer};

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z. The store holds this integer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMillis(pub i64);

impl UtcMillis {
    /// Converts whole seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1000)
    }

    /// Parses Commerce's `YYYY-MM-DD HH:MM:SS[.ffffff]`, which is always UTC. Returns `None` for
    /// `0000-00-00` and other invalid dates.
    pub fn parse_sql(text: &str) -> Option<Self> {
        NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S%.f")
            .ok()
            .map(|naive| Self(naive.and_utc().timestamp_millis()))
    }

    /// Parses an RFC 3339 date-time with any offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text.trim())
            .ok()
            .map(|at| Self(at.timestamp_millis()))
    }

    /// Formats as `2026-11-22T07:00:00.000Z`, the form used in events and logs.
    pub fn rfc3339(self) -> String {
        self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Formats as `2026-11-22 07:00:00`, the form Commerce prints and stores.
    pub fn sql(self) -> String {
        self.to_chrono().format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Formats as `Sun, 22 Nov 2026 07:00:00 GMT`, the form of HTTP headers.
    pub fn http_date(self) -> String {
        self.to_chrono().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Converts to chrono's type. A value beyond its range (year 262,000) becomes the epoch.
    pub fn to_chrono(self) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(self.0).single().unwrap_or_default()
    }

    /// Adds `millis`, which may be negative, and saturates.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Returns the milliseconds since `earlier`; negative if `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// A time that serializes as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub UtcMillis);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A source of the current time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The wall clock of this machine.
    #[default]
    System,
    /// A clock that moves only when it is set: the emulator's virtual clock, and tests.
    Manual(Arc<AtomicI64>),
    /// A clock that follows the virtual time of a simulation's runtime.
    Virtual(VirtualClock),
}

/// A function that returns the current virtual time.
#[derive(Clone)]
pub struct VirtualClock(Arc<dyn Fn() -> UtcMillis + Send + Sync>);

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VirtualClock")
    }
}

impl Clock {
    /// Creates a clock that shows `at` until [`Clock::set`] moves it.
    pub fn manual(at: UtcMillis) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.0)))
    }

    /// Creates a clock that calls `now`.
    pub fn virtual_time(now: impl Fn() -> UtcMillis + Send + Sync + 'static) -> Self {
        Self::Virtual(VirtualClock(Arc::new(now)))
    }

    /// Returns the current time.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn now(&self) -> UtcMillis {
        match self {
            Self::System => UtcMillis(Utc::now().timestamp_millis()),
            Self::Manual(at) => UtcMillis(at.load(Ordering::SeqCst)),
            Self::Virtual(clock) => (clock.0)(),
        }
    }

    /// Sets a manual clock. Has no effect on the other kinds.
    pub fn set(&self, at: UtcMillis) {
        if let Self::Manual(cell) = self {
            cell.store(at.0, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commerce_timestamps_are_utc_and_round_trip() {
        let at = UtcMillis::parse_sql("2026-11-22 07:00:00").unwrap();
        assert_eq!(at.rfc3339(), "2026-11-22T07:00:00.000Z");
        assert_eq!(at.sql(), "2026-11-22 07:00:00");
        assert_eq!(UtcMillis::parse_rfc3339("2026-11-22T08:00:00+01:00"), Some(at));
        assert_eq!(UtcMillis::parse_sql("0000-00-00 00:00:00"), None);
    }

    #[test]
    fn a_manual_clock_stands_still_until_it_is_set() {
        let clock = Clock::manual(UtcMillis(5));
        assert_eq!(clock.now(), UtcMillis(5));
        clock.set(UtcMillis(9));
        assert_eq!(clock.clone().now(), UtcMillis(9));
    }
}
