//! An installation whose source is a mock of Commerce's REST API, over an embedded shop.

use std::collections::BTreeSet;

use orderfeed_emulator::EmulatorHandle;
use orderfeed_mock_commerce::{MockCommerce, MockConfig, MockHandle};

use crate::support::daemon::{Daemon, Installation, eventually_within};
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::oracle::Expected;

/// Generous, because debug builds of other tests share two cores with this one.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(240);

/// Short intervals, so that a test does not wait for what takes minutes in a shop.
const INTERVALS: &str = "poll_interval = \"200ms\"\npoll_overlap = \"10s\"\nreturns_interval = \"300ms\"\n\
    tracks_interval = \"2s\"\nrequests_per_second = 1000\nmax_connections = 3\ntimeout = \"10s\"\n";

pub struct RestFixture {
    pub shop: ShopFixture,
    pub mock: MockHandle,
    pub edge: EmulatorHandle,
}

impl RestFixture {
    /// Starts an edge and a mock over a shop with `orders` orders. The daemon signs its requests.
    pub async fn start(orders: usize, config: MockConfig) -> Self {
        let fixture = Self::without_source(orders, config).await;
        let consumer = fixture.mock.config().consumer.clone();
        let source = format!(
            "[source]\nkind = \"rest\"\n[source.rest]\nurl = \"{}/rest/all/V1\"\nauth = \"oauth\"\nconsumer_key = \"{}\"\n\
             consumer_secret = \"{}\"\naccess_token = \"{}\"\naccess_token_secret = \"{}\"\n{INTERVALS}",
            fixture.mock.url(),
            consumer.key,
            consumer.secret,
            consumer.token,
            consumer.token_secret
        );
        fixture.installation().layer("rest", &source);
        fixture
    }

    /// Starts the same with the cloud service as the source.
    pub async fn start_in_the_cloud(orders: usize, config: MockConfig) -> Self {
        let fixture = Self::without_source(orders, config).await;
        let cloud = fixture.mock.config().cloud.clone();
        let source = format!(
            "[source]\nkind = \"rest\"\n[source.rest]\nurl = \"{}/V1\"\nauth = \"ims\"\n{INTERVALS}\
             [source.rest.ims]\ntoken_url = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n",
            fixture.mock.cloud_url(),
            fixture.mock.ims_url(),
            cloud.client_id,
            cloud.client_secret
        );
        fixture.installation().layer("rest", &source);
        fixture
    }

    async fn without_source(orders: usize, config: MockConfig) -> Self {
        let settings = orderfeed_emulator::EmulatorConfig {
            keep_bodies: true,
            ..edge::settings()
        };
        let edge = orderfeed_emulator::Emulator::start(settings).await.unwrap();
        let shop = ShopFixture::new(&edge.server_url(), orders);
        let file = shop.installation.path("shop.db");
        let mock = MockCommerce::start(&file, config).await.unwrap();
        Self { shop, mock, edge }
    }

    pub fn installation(&self) -> &Installation {
        &self.shop.installation
    }

    /// Returns the number of requests to a path of the API.
    pub fn requests(&self, path: &str) -> u64 {
        self.mock
            .ledger()
            .by_path()
            .get(path)
            .copied()
            .unwrap_or_default()
    }

    /// Returns the number of requests that met a fault.
    pub fn faults_met(&self) -> usize {
        let ledger = self.mock.ledger();
        ledger.requests().filter(|row| row.fault.is_some()).count()
    }

    /// Waits until the edge has all events of the shop and the daemon has nothing left to do.
    pub fn wait_until_served(&self) {
        let expected = self.shop.expected();
        self.wait_for(&expected);
    }

    /// Waits until the edge has these events and the daemon has nothing left to do.
    #[track_caller]
    pub fn wait_for(&self, expected: &BTreeSet<Expected>) {
        let what = format!("{} events at the edge and nothing left to do", expected.len());
        eventually_within(LIMIT, &what, || self.shop.is_served(&self.edge, expected.len()));
    }

    /// Asserts that the edge has exactly the events of the shop, and stops the daemon.
    #[track_caller]
    pub fn assert_whole(&self, daemon: Daemon) {
        assert_eq!(daemon.stop(), Some(0));
        edge::assert_holds(&self.edge, &self.shop.expected());
        edge::assert_promises(&self.edge);
    }
}
