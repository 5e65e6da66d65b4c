//! What the emulator can be told at start, and (all but the listeners, TLS and the ledger's detail) while it runs.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Everything that shapes the emulator. `EmulatorConfig::default()` is usable: two listeners on free loopback ports,
/// one datastream, one OAuth client, no faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmulatorConfig {
    /// Where the listener that plays `server.adobedc.net` (always authenticated) and IMS listens; port 0 = any free.
    pub listen_server: SocketAddr,
    /// Where the listener that plays `edge.adobedc.net` listens.
    pub listen_edge: SocketAddr,
    /// Where the control interface (`/__mock/…`) listens.
    pub listen_control: SocketAddr,
    /// Serve the data listeners over HTTPS with a certificate of the emulator's own authority.
    pub tls: bool,
    /// Datastreams by id.
    pub datastreams: BTreeMap<String, DatastreamConfig>,
    /// OAuth clients by client id.
    pub clients: BTreeMap<String, ClientConfig>,
    /// Streaming inlets (`/collection/{id}`) by id.
    pub inlets: BTreeMap<String, InletConfig>,
    /// Largest request body at the edge, in bytes (Adobe: 64 KB).
    pub max_bytes: u64,
    /// Request units an organization may spend a second of the virtual clock; 0 = no limit (Adobe: 6000).
    pub ru_per_s: u64,
    /// How long an access token lives, in seconds (Adobe: 86399).
    pub token_ttl_s: i64,
    /// Tokens a client may fetch in one minute before IMS answers 429; 0 = no limit.
    pub tokens_per_minute: u32,
    /// Scopes that a token must carry, or the edge answers `EXEG-0505-401`.
    pub required_scopes: Vec<String>,
    /// Identity values that opted out: their events are received and ignored, with warning `EXEG-0301-200`.
    pub opted_out_ids: Vec<String>,
    /// Check every event against the XDM schema; what does not fit is accepted and then marked `failed_batch`.
    pub strict_xdm: bool,
    /// A round trip's simulated length in milliseconds: half before an event is recorded, half after.
    pub latency_ms: u64,
    /// Faults at random, reproducible by seed.
    pub faults: Option<RandomFaults>,
    /// How much the ledger remembers.
    pub ledger: LedgerDetail,
    /// Keep the bytes of every event (first recording), so that a test can read them back.
    pub keep_bodies: bool,
    /// Where the virtual clock stands, as RFC 3339; absent = the machine's clock.
    pub clock: Option<String>,
}

impl Default for EmulatorConfig {
    fn default() -> Self {
        let free = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            listen_server: free,
            listen_edge: free,
            listen_control: free,
            tls: false,
            datastreams: BTreeMap::from([(DEFAULT_DATASTREAM.to_owned(), DatastreamConfig::default())]),
            clients: BTreeMap::from([(DEFAULT_CLIENT.to_owned(), ClientConfig::default())]),
            inlets: BTreeMap::new(),
            max_bytes: 65_536,
            ru_per_s: 6000,
            token_ttl_s: 86_399,
            tokens_per_minute: 0,
            required_scopes: Vec::new(),
            opted_out_ids: Vec::new(),
            strict_xdm: false,
            latency_ms: 0,
            faults: None,
            ledger: LedgerDetail::Full,
            keep_bodies: false,
            clock: None,
        }
    }
}

/// The datastream of a default configuration.
pub const DEFAULT_DATASTREAM: &str = "ebebf826-a01f-4458-8cec-ef61de241c93";
/// The organization of a default configuration.
pub const DEFAULT_ORG: &str = "53A16ACB5CC1D3760A495C99@AdobeOrg";
/// The OAuth client of a default configuration.
pub const DEFAULT_CLIENT: &str = "emulator-client";
/// The secret of [`DEFAULT_CLIENT`]; it opens nothing but the emulator.
pub const DEFAULT_SECRET: &str = "emulator-secret";

/// One datastream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatastreamConfig {
    /// The organization that owns it.
    pub org: String,
    /// A disabled datastream answers `EXEG-0004-422`.
    pub enabled: bool,
    /// Whether the edge listener asks for a token, too.
    pub access: Access,
    /// How many upstream services it feeds; multiplies the request units.
    pub upstreams: u64,
    /// The sandbox that a client must be allowed to write.
    pub sandbox: String,
    /// Identity namespaces that exist; any other answers `EXEG-0013-422`.
    pub namespaces: Vec<String>,
}

impl Default for DatastreamConfig {
    fn default() -> Self {
        let known = [
            "Email_LC_SHA256",
            "Email",
            "ECID",
            "FPID",
            "CRMID",
            "commerceOrder",
        ];
        Self {
            org: DEFAULT_ORG.to_owned(),
            enabled: true,
            access: Access::Mixed,
            upstreams: 1,
            sandbox: "prod".to_owned(),
            namespaces: known.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// A datastream's access type (Adobe's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Only the server host asks for a token.
    Mixed,
    /// Both hosts ask for a token.
    Authenticated,
}

/// One OAuth server-to-server client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfig {
    /// Its secret. Never shown by the control interface.
    #[serde(skip_serializing)]
    pub secret: String,
    /// The organization its tokens belong to.
    pub org: String,
    /// Scopes it may ask for; empty = any.
    pub scopes: Vec<String>,
    /// Sandboxes it may write, else `EXEG-0506-401`.
    pub write_sandboxes: Vec<String>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            secret: DEFAULT_SECRET.to_owned(),
            org: DEFAULT_ORG.to_owned(),
            scopes: Vec::new(),
            write_sandboxes: vec!["prod".to_owned()],
        }
    }
}

/// One inlet of the streaming ingestion endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InletConfig {
    /// The organization that messages must name.
    pub org: String,
    /// Whether it asks for a token.
    pub authenticated: bool,
}

impl Default for InletConfig {
    fn default() -> Self {
        Self {
            org: DEFAULT_ORG.to_owned(),
            authenticated: false,
        }
    }
}

/// How much the ledger remembers; each step down costs less memory and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerDetail {
    /// A row for each event and request, and a look for personal data in each event.
    Full,
    /// For each `_id` a hash, a count and the first sequence number (about 60 bytes); requests as totals.
    Compact,
    /// Totals only.
    Counts,
}

/// Faults drawn at random: 503 and 429 with `Retry-After`, connections reset before reading and after recording, and
/// hangs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomFaults {
    /// The share of data requests that meet a fault, 0.0 to 1.0.
    pub rate: f64,
    /// The seed: the same seed gives the same sequence of faults.
    #[serde(default)]
    pub seed: u64,
    /// Which faults they are.
    #[serde(default)]
    pub mix: FaultMix,
}

impl RandomFaults {
    /// The usual mix.
    pub fn new(rate: f64, seed: u64) -> Self {
        Self {
            rate,
            seed,
            mix: FaultMix::default(),
        }
    }
}

/// How often each fault comes, relative to the others; 0 = never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultMix {
    /// 503 with `Retry-After: 1`.
    pub busy: u32,
    /// 503 without it.
    pub unavailable: u32,
    /// 429 with `Retry-After: 1`.
    pub too_many: u32,
    /// Connection reset before the request is read.
    pub reset_before: u32,
    /// Connection reset after the events are recorded.
    pub reset_after: u32,
    /// A hang.
    pub hang: u32,
    /// How long a hang lasts, in milliseconds; absent = at random from 50 to 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hang_ms: Option<u64>,
}

impl Default for FaultMix {
    fn default() -> Self {
        Self {
            busy: 20,
            unavailable: 15,
            too_many: 20,
            reset_before: 15,
            reset_after: 15,
            hang: 15,
            hang_ms: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_file_may_name_only_what_differs() {
        let config: EmulatorConfig = toml::from_str(
            "max_bytes = 1000\nledger = \"compact\"\n[datastreams.abc]\naccess = \"authenticated\"\n[faults]\nrate = 0.1\n",
        )
        .unwrap();
        assert_eq!(config.max_bytes, 1000);
        assert_eq!(config.ledger, LedgerDetail::Compact);
        assert_eq!(config.datastreams["abc"].access, Access::Authenticated);
        assert_eq!(config.faults, Some(RandomFaults::new(0.1, 0)));
        assert_eq!(config.token_ttl_s, 86_399);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(toml::from_str::<EmulatorConfig>("max_byte = 1").is_err());
    }

    #[test]
    fn a_shown_config_holds_no_secret() {
        let shown = serde_json::to_string(&EmulatorConfig::default()).unwrap();
        assert!(!shown.contains(DEFAULT_SECRET));
    }
}
