//! The source of a demo: the file of its shop, or the same shop over a mock of Commerce's REST API.

use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;

use orderfeed_mock_commerce::{MockCommerce, MockConfig, MockHandle, RandomFaults};

/// Share of the API's answers with a fault, if faults are asked for.
const FAULT_RATE: f64 = 0.05;

/// The kind of a demo's source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DemoSourceKind {
    /// The file of the shop
    #[default]
    Sqlite,
    /// Commerce's REST API, played by a local mock
    Rest,
}

/// The running source of a demo.
pub(crate) struct DemoSource {
    mock: Option<MockHandle>,
}

impl DemoSource {
    /// Starts the mock over the shop in `directory`, unless its file is the source.
    pub(crate) async fn start(
        kind: DemoSourceKind,
        directory: &Path,
        faults: Option<u64>,
    ) -> anyhow::Result<Self> {
        if kind == DemoSourceKind::Sqlite {
            return Ok(Self { mock: None });
        }
        let config = MockConfig {
            random_faults: faults.map(|seed| RandomFaults {
                rate: FAULT_RATE,
                seed,
            }),
            // Only counts are printed.
            keep_requests: 0,
            ..MockConfig::default()
        };
        let mock = MockCommerce::start(&directory.join("shop.db"), config)
            .await
            .context("the demo's REST API cannot be started")?;
        Ok(Self { mock: Some(mock) })
    }

    /// Returns the sections of the configuration. Intervals are short, so that an action of a shopper is visible in the status
    /// at once.
    pub(crate) fn sections(&self) -> String {
        let Some(mock) = &self.mock else {
            return "[source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"shop.db\"\npoll_interval = \"50ms\"\n".to_owned();
        };
        let config = mock.config();
        let consumer = &config.consumer;
        format!(
            "[source]\nkind = \"rest\"\n[source.rest]\nurl = \"{}/rest/all/V1\"\nconsumer_key = \"{}\"\nconsumer_secret = \"{}\"\n\
             access_token = \"{}\"\naccess_token_secret = \"{}\"\npoll_interval = \"200ms\"\npoll_overlap = \"10s\"\n\
             returns_interval = \"300ms\"\ntracks_interval = \"2s\"\nrequests_per_second = 1000\n",
            mock.url(),
            consumer.key,
            consumer.secret,
            consumer.token,
            consumer.token_secret
        )
    }

    /// Returns the number of checks in a row, one every 200 ms, after which nothing more is expected: a change that was just
    /// committed may not be captured yet.
    pub(crate) fn settled_after(&self) -> u32 {
        if self.mock.is_some() { 10 } else { 3 }
    }

    /// Returns a sentence for the welcome.
    pub(crate) fn welcome(&self) -> String {
        match &self.mock {
            None => String::new(),
            Some(mock) => format!(
                "The shop is read over Commerce's REST API at {}/rest/all/V1.\n",
                mock.url()
            ),
        }
    }

    /// Returns the number of requests to the API.
    pub(crate) fn requests(&self) -> Option<u64> {
        self.mock.as_ref().map(|mock| mock.ledger().total())
    }

    pub(crate) async fn shutdown(self) {
        if let Some(mock) = self.mock {
            mock.shutdown().await;
        }
    }
}
