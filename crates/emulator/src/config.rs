//! Configuration of the emulator. All but the listeners, TLS and the ledger's detail can change while it runs.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The emulator's configuration. The default is usable: listeners on free loopback ports, one datastream, one OAuth
/// client, no faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmulatorConfig {
    /// Address of the listener that plays `server.adobedc.net` (always authenticated) and IMS. Port 0 picks a free port.
    pub listen_server: SocketAddr,
    /// Address of the listener that plays `edge.adobedc.net`.
    pub listen_edge: SocketAddr,
    /// Address of the control interface (`/__mock/…`).
    pub listen_control: SocketAddr,
    /// Serves the data listeners over HTTPS, with a certificate of the emulator's own authority.
    pub tls: bool,
    pub datastreams: BTreeMap<String, DatastreamConfig>,
    /// OAuth clients by client id.
    pub clients: BTreeMap<String, ClientConfig>,
    /// Streaming inlets (`/collection/{id}`) by id.
    pub inlets: BTreeMap<String, InletConfig>,
    /// Largest request body the edge accepts, in bytes (Adobe: 64 KB).
    pub max_bytes: u64,
    /// Request units an organization may spend per second of the virtual clock; 0 = no limit (Adobe: 6000).
    pub ru_per_s: u64,
    /// Lifetime of an access token, in seconds (Adobe: 86399).
    pub token_ttl_s: i64,
    /// Tokens a client may fetch in one minute before IMS answers 429; 0 = no limit.
    pub tokens_per_minute: u32,
    /// Scopes a token must carry; without them the edge answers `EXEG-0505-401`.
    pub required_scopes: Vec<String>,
    /// Identities that opted out. Their events are accepted and ignored, with warning `EXEG-0301-200`.
    pub opted_out_ids: Vec<String>,
    /// Checks every event against the XDM schema. An invalid event is accepted and then marked `failed_batch`, as the
    /// platform's asynchronous validation does.
    pub strict_xdm: bool,
    /// Simulated round-trip time in milliseconds: half before an event is recorded, half after.
    pub latency_ms: u64,
    /// Random faults, reproducible by seed.
    pub faults: Option<RandomFaults>,
    /// Level of detail of the ledger.
    pub ledger: LedgerDetail,
    /// Keeps the bytes of every event when it is first recorded, so that a test can read them back.
    pub keep_bodies: bool,
    /// Time of the virtual clock as RFC 3339. Absent: the machine's clock.
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
/// The secret of [`DEFAULT_CLIENT`]. It is valid at the emulator only.
pub const DEFAULT_SECRET: &str = "emulator-secret";

/// Settings of a datastream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatastreamConfig {
    /// The organization that owns it.
    pub org: String,
    /// A disabled datastream answers `EXEG-0004-422`.
    pub enabled: bool,
    pub access: Access,
    /// Number of upstream services. Multiplies the request units.
    pub upstreams: u64,
    /// Sandbox a client needs write access to.
    pub sandbox: String,
    /// Known identity namespaces. Any other is answered with `EXEG-0013-422`.
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

/// Access type of a datastream, in Adobe's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Only the server host requires a token.
    Mixed,
    /// Both hosts require a token.
    Authenticated,
}

/// An OAuth server-to-server client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfig {
    /// The control interface never returns it.
    #[serde(skip_serializing)]
    pub secret: String,
    /// Organization that the client's tokens belong to.
    pub org: String,
    /// Scopes the client may request; empty = any.
    pub scopes: Vec<String>,
    /// Sandboxes the client may write to; others are answered with `EXEG-0506-401`.
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

/// An inlet of the streaming ingestion endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InletConfig {
    /// Organization that messages must name.
    pub org: String,
    /// True if requests need a token.
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

/// Level of detail of the ledger. Each level below costs less memory and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerDetail {
    /// A row per event and request, and a search for personal data in each event.
    Full,
    /// About 60 bytes per `_id` (hash, count, first sequence number); totals for requests.
    Compact,
    Counts,
}

/// Faults drawn at random: 503 and 429 with `Retry-After`, connections reset before reading and after recording, and
/// hangs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomFaults {
    /// Share of data requests that meet a fault, 0.0 to 1.0.
    pub rate: f64,
    /// Equal seeds give equal sequences of faults.
    #[serde(default)]
    pub seed: u64,
    /// Relative frequency of each fault.
    #[serde(default)]
    pub mix: FaultMix,
}

impl RandomFaults {
    /// Creates faults in the default mix.
    pub fn new(rate: f64, seed: u64) -> Self {
        Self {
            rate,
            seed,
            mix: FaultMix::default(),
        }
    }
}

/// Relative frequencies of random faults; 0 = never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultMix {
    /// 503 with `Retry-After: 1`.
    pub busy: u32,
    pub unavailable: u32,
    /// 429 with `Retry-After: 1`.
    pub too_many: u32,
    /// Connection reset before the request is read.
    pub reset_before: u32,
    /// Connection reset after the events are recorded.
    pub reset_after: u32,
    /// The request hangs before it is answered.
    pub hang: u32,
    /// Length of a hang in milliseconds. Absent: random, from 50 to 500.
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
