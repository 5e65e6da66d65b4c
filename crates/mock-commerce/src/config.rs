//! Configuration of the mock. All but the address can change while it runs.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use orderfeed_model::clock::Clock;
use orderfeed_model::words;

use crate::faults::RandomFaults;

/// The configuration of a mock. The default is usable: a free loopback port, the newest release, every permission, no
/// faults.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// Address of the listener. Port 0 picks a free port.
    pub listen: SocketAddr,
    pub release: Release,
    /// Credentials of the integration.
    pub consumer: Consumer,
    /// Accepts the integration's access token as a bearer token, which is off since 2.4.4.
    pub bearer: bool,
    pub cloud: CloudService,
    /// Permissions of the integration.
    pub permissions: BTreeSet<Permission>,
    /// Input limits of the API (`webapi/validation`); off by default, as in Commerce.
    pub limits: Option<PageLimits>,
    /// The shop has returns. Without them their routes do not exist.
    pub returns: bool,
    /// Time from a request to its answer.
    pub latency: Duration,
    /// The mock's clock.
    pub clock: Clock,
    /// Difference of the server's clock, in seconds; positive if it is ahead.
    pub clock_offset_s: i64,
    /// The integration was deleted, or its token revoked.
    pub is_revoked: bool,
    /// Refuses signatures of values with blanks, as some builds of 2.4.6 and 2.4.7 do.
    pub refuses_blanks: bool,
    /// Maintenance mode: every request is answered with 503 and HTML.
    pub maintenance: bool,
    /// Scheme and host that the server sees, if a proxy hides those of the client.
    pub seen_as: Option<String>,
    /// Code of the website that the integration's role is limited to.
    pub website: Option<String>,
    /// Numbers as older PHP writes them: `34.399999999999999`.
    pub precise_floats: bool,
    /// Ids of stores as strings.
    pub text_store_ids: bool,
    /// Lists of returns lack items, comments and tracks.
    pub bare_return_lists: bool,
    /// Items of returns have a reason, as the id of an option.
    pub return_reasons: bool,
    /// Orders that end PHP with a fatal error.
    pub poisoned: BTreeSet<i64>,
    /// Orders with an item whose product was deleted, which fail with the text of a missing product.
    pub deleted_products: BTreeSet<i64>,
    /// Orders with a transaction that is its own parent: its list never returns.
    pub endless_transactions: BTreeSet<i64>,
    /// Orders whose transaction is not committed: neither they nor their documents are visible.
    pub hidden: BTreeSet<i64>,
    /// Value of `retry-after` at the end of the journal, in seconds.
    pub journal_pause_s: u64,
    pub random_faults: Option<RandomFaults>,
    /// Number of requests that the ledger keeps; it counts the others.
    pub keep_requests: usize,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            release: Release::Newest,
            consumer: Consumer::default(),
            bearer: false,
            cloud: CloudService::default(),
            permissions: Permission::ALL.into_iter().collect(),
            limits: None,
            returns: true,
            latency: Duration::ZERO,
            clock: Clock::System,
            clock_offset_s: 0,
            is_revoked: false,
            refuses_blanks: false,
            maintenance: false,
            seen_as: None,
            website: None,
            precise_floats: false,
            text_store_ids: false,
            bare_return_lists: false,
            return_reasons: false,
            poisoned: BTreeSet::new(),
            deleted_products: BTreeSet::new(),
            endless_transactions: BTreeSet::new(),
            hidden: BTreeSet::new(),
            journal_pause_s: 10,
            random_faults: None,
            keep_requests: 100_000,
        }
    }
}

words! {
    /// The release of Commerce whose differences are played.
    #[derive(PartialOrd, Ord)]
    pub enum Release {
        /// A page past the end repeats the last one, masked errors are 500, and only `base_row_total` is rewritten.
        V2_3 = "2.3",
        /// Both row totals are rewritten, and may be negative.
        V2_4_4 = "2.4.4",
        /// `base_row_total` is the price of one unit; the other is clamped at 0.
        V2_4_8 = "2.4.8",
        /// Row totals are clamped and rounded to cents; parameters of a signature are sorted by their decoded names.
        Newest = "newest",
    }
}

impl Release {
    /// Returns the version as a shop publishes it, without its last part.
    pub(crate) fn published(self) -> &'static str {
        match self {
            Self::V2_3 => "Magento/2.3 (Enterprise)",
            Self::V2_4_4 | Self::V2_4_8 | Self::Newest => "Magento/2.4 (Enterprise)",
        }
    }
}

words! {
    /// A resource of Commerce's access control lists.
    #[derive(PartialOrd, Ord)]
    pub enum Permission {
        Orders = "Magento_Sales::actions_view",
        Invoices = "Magento_Sales::sales_invoice",
        Shipments = "Magento_Sales::shipment",
        CreditMemos = "Magento_Sales::sales_creditmemo",
        Transactions = "Magento_Sales::transactions_fetch",
        Returns = "Magento_Rma::magento_rma",
        Stores = "Magento_Backend::store",
    }
}

/// The four strings of an integration. They are valid at the mock only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    pub key: String,
    pub secret: String,
    pub token: String,
    pub token_secret: String,
}

impl Default for Consumer {
    fn default() -> Self {
        Self {
            key: "mock-consumer-key".to_owned(),
            secret: "mock-consumer-secret".to_owned(),
            token: "mock-access-token".to_owned(),
            token_secret: "mock-access-token-secret".to_owned(),
        }
    }
}

/// The organization of the default configuration.
pub const DEFAULT_CLOUD_ORG: &str = "53A16ACB5CC1D3760A495C99@AdobeOrg";

/// A tenant of Adobe Commerce as a Cloud Service, with the client of its IMS project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudService {
    pub tenant: String,
    pub organization: String,
    pub client_id: String,
    pub client_secret: String,
    /// Lifetime of an access token, in seconds.
    pub token_ttl_s: i64,
}

impl Default for CloudService {
    fn default() -> Self {
        Self {
            tenant: "mock-tenant".to_owned(),
            organization: DEFAULT_CLOUD_ORG.to_owned(),
            client_id: "mock-client".to_owned(),
            client_secret: "mock-client-secret".to_owned(),
            token_ttl_s: 86_399,
        }
    }
}

/// Limits on the size of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// Size of a page if the request names none.
    pub usual: u64,
    /// Largest size that a request may name.
    pub most: u64,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self { usual: 20, most: 300 }
    }
}
