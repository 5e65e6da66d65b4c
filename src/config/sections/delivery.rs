//! `[delivery]` and `[privacy]`: batching, lanes, rate limit, retries, and the content of events.

use crate::config::fields::{Below, DurationIn, Int, Parse, table};
use crate::config::reader::ConfigReader;
use crate::config::values::{HumanDuration, InvalidValue, choices};

table! {
    /// `[delivery]`: batches, lanes, rate limit and timeouts.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Delivery {
        pub max_batch_bytes: usize = Int(1, 65_536),
        pub max_batch_events: usize = Int(1, 10_000),
        pub lanes: usize = Int(1, 1024),
        pub request_units_per_second: u32 = Int(0, 1_000_000),
        pub max_pending_events: u64 = Int(1000, 1_000_000_000),
        pub connect_timeout: HumanDuration = DurationIn("100ms", "5m"),
        pub timeout: HumanDuration = DurationIn("1s", "10m"),
        pub stop_budget: HumanDuration = DurationIn("0s", "10m"),
        pub retry: RetryConfig = Below,
    }
}

table! {
    /// `[delivery.retry]`: the backoff of a website, from `initial` up to `max`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RetryConfig {
        pub initial: HumanDuration = DurationIn("10ms", "1h"),
        pub max: HumanDuration = DurationIn("10ms", "1d"),
    }
}

impl Delivery {
    pub(super) fn check(&self, reader: &mut ConfigReader<'_>) {
        reader.not_shorter(
            ("delivery.timeout", self.timeout),
            ("delivery.connect_timeout", self.connect_timeout),
        );
        reader.not_shorter(
            ("delivery.retry.max", self.retry.max),
            ("delivery.retry.initial", self.retry.initial),
        );
    }
}

table! {
    /// `[privacy]`: the personal data in events.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Privacy {
        pub profile: PrivacyProfile = Parse(str::parse),
        pub guest_namespace: String = Parse(parse_namespace),
    }
}

choices! {
    /// The personal data that an event may carry.
    pub enum PrivacyProfile {
        /// Nothing that names or locates a person.
        Anonymized = "anonymized",
        /// Also the personal fields of Adobe's field tables.
        Full = "full",
    }
}

/// Accepts the symbol of an identity namespace. Those of e-mail addresses and phone numbers are refused: they would merge
/// guests with known persons.
fn parse_namespace(text: &str) -> Result<String, InvalidValue> {
    let expected = "the symbol of a custom identity namespace at Adobe, letters, digits and underscores";
    if ["email", "email_lc_sha256", "emails", "phone"].contains(&text.to_lowercase().as_str()) {
        return Err(InvalidValue::new("is a namespace of persons", expected));
    }
    match text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        true => Ok(text.to_owned()),
        false => Err(InvalidValue::new("is not a namespace", expected)),
    }
}
