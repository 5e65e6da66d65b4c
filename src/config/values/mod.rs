//! The validated types of configuration values. Each parses the text that an operator writes, prints it back in the same
//! form, and reports what it expects. Pure.

mod choice;
mod mysql;
mod proxy;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

pub(crate) use crate::config::values::choice::choices;
pub use crate::config::values::mysql::{MysqlUrl, TablePrefix};
pub use crate::config::values::proxy::HttpProxy;

/// The reason why a text is not a value of its type. The caller adds the text itself, if it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; expected {expected}")]
pub struct InvalidValue {
    /// The predicate of the message: `is not a datastream id`.
    pub what: String,
    /// The form that is expected: `a UUID such as …`.
    pub expected: String,
}

impl InvalidValue {
    pub(crate) fn new(what: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            expected: expected.into(),
        }
    }
}

/// An Adobe organization: 24 letters or digits and `@AdobeOrg`. Empty only in `Config::default()`, never after loading.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct OrganizationId(Arc<str>);

impl OrganizationId {
    /// Returns the id as Adobe writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OrganizationId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let fits = text
            .strip_suffix("@AdobeOrg")
            .is_some_and(|id| id.len() == 24 && id.bytes().all(|b| b.is_ascii_alphanumeric()));
        if fits {
            return Ok(Self(text.into()));
        }
        Err(InvalidValue::new(
            "is not an organization id",
            "24 letters or digits followed by \"@AdobeOrg\", such as \"53A16ACB5CC1D3760A495C99@AdobeOrg\"",
        ))
    }
}

/// A datastream: a UUID, optionally with the environment that older datastreams carry (`:stage`, `:dev`, `:prod` or
/// a name of the organization's own).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatastreamId {
    uuid: Uuid,
    environment: Option<Arc<str>>,
}

impl DatastreamId {
    /// Returns `stage`, `dev` and the like, if the id names one.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }
}

impl fmt::Display for DatastreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.environment {
            Some(environment) => write!(f, "{}:{environment}", self.uuid),
            None => write!(f, "{}", self.uuid),
        }
    }
}

impl FromStr for DatastreamId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (id, environment) = match text.split_once(':') {
            Some((id, environment)) => (id, Some(environment)),
            None => (text, None),
        };
        // Older datastreams carry an environment; an organization may name its own.
        let environment_fits = environment.is_none_or(is_environment_name);
        match parse_uuid(id) {
            Ok(uuid) if environment_fits => Ok(Self {
                uuid,
                environment: environment.map(Arc::from),
            }),
            _ => Err(InvalidValue::new(
                "is not a datastream id",
                "a UUID such as ebebf826-a01f-4458-8cec-ef61de241c93, optionally followed by \":stage\" or \":dev\"",
            )),
        }
    }
}

fn is_environment_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Parses a UUID in its usual form, 36 characters with hyphens.
pub(crate) fn parse_uuid(text: &str) -> Result<Uuid, InvalidValue> {
    let unfit = || {
        InvalidValue::new(
            "is not a UUID",
            "a UUID such as 2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90",
        )
    };
    // Other spellings of UUIDs are refused, because the text is sent to Adobe unchanged.
    if text.len() != 36 {
        return Err(unfit());
    }
    Uuid::try_parse(text).map_err(|_| unfit())
}

/// A length of time in words: `250ms`, `5m`, `1h 30m`, `7d`, `5y` (a year is 365.25 days).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HumanDuration(Duration);

impl HumanDuration {
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// Returns the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Returns whole milliseconds, saturating, for arithmetic with `UtcMillis`.
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const YEAR: u64 = 31_557_600;
        let secs = self.0.as_secs();
        let nanos = self.0.subsec_nanos();
        if secs == 0 && nanos == 0 {
            return f.write_str("0s");
        }
        // "5y" would otherwise be printed as 1826d6h.
        if nanos == 0 && secs.is_multiple_of(YEAR) {
            return write!(f, "{}y", secs / YEAR);
        }
        let parts = [
            (secs / 86_400, "d"),
            (secs / 3600 % 24, "h"),
            (secs / 60 % 60, "m"),
            (secs % 60, "s"),
            (u64::from(nanos / 1_000_000), "ms"),
            (u64::from(nanos / 1000 % 1000), "us"),
            (u64::from(nanos % 1000), "ns"),
        ];
        parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

impl FromStr for HumanDuration {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        humantime::parse_duration(text).map(Self).map_err(|_| {
            InvalidValue::new(
                "is not a duration",
                "a number with its unit, such as \"5m\", \"250ms\" or \"7d\"",
            )
        })
    }
}

/// A number of bytes with its unit: `4096B`, `64KiB`, `256MiB`, `2GiB`. The factors are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

/// Units from large to small, so that printing finds the shortest form.
const BYTE_UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |factor: u64| self.0 >= factor && self.0.is_multiple_of(factor);
        match BYTE_UNITS.iter().find(|(_, factor)| fits(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl FromStr for ByteSize {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let unfit = || {
            InvalidValue::new(
                "is not a size",
                "a whole number with its unit, such as \"256MiB\" or \"2GiB\"",
            )
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = BYTE_UNITS
            .iter()
            .find(|(name, _)| *name == unit.trim())
            .ok_or_else(unfit)?
            .1;
        let count: u64 = number.parse().map_err(|_| unfit())?;
        // More than 2^64 bytes is a typing error.
        count.checked_mul(factor).map(Self).ok_or_else(unfit)
    }
}

/// The extent of a first sync, by the orders' `created_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// Every order of the source.
    All,
    /// No history: a website starts from now.
    None,
    /// Orders created within this time before the first sync starts.
    Last(HumanDuration),
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::None => f.write_str("none"),
            Self::Last(length) => length.fmt(f),
        }
    }
}

impl FromStr for History {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            length => length.parse().map(Self::Last).map_err(|_: InvalidValue| {
                InvalidValue::new(
                    "is not a length of history",
                    "a duration such as \"5y\" or \"90d\", \"all\" or \"none\"",
                )
            }),
        }
    }
}

/// The address of the endpoint for metrics, health and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// No endpoint.
    Off,
    Tcp(std::net::SocketAddr),
    /// The absolute path of a Unix socket, created with mode 0600.
    Unix(PathBuf),
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for AdminListen {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "a loopback address such as \"127.0.0.1:9187\" or \"[::1]:9187\", \"unix:/run/orderfeed/admin.sock\", or \"off\"";
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return match path.is_absolute() {
                true => Ok(Self::Unix(path)),
                false => Err(InvalidValue::new("is not an absolute socket path", expected)),
            };
        }
        match text.parse::<std::net::SocketAddr>() {
            // The endpoint has no login, so it must not be reachable from other hosts.
            Ok(address) if address.ip().is_loopback() => Ok(Self::Tcp(address)),
            Ok(_) => Err(InvalidValue::new("is reachable from other machines", expected)),
            Err(_) => Err(InvalidValue::new("is not an address", expected)),
        }
    }
}

#[cfg(test)]
mod tests;
