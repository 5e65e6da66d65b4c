//! A first sync over Commerce's REST API, played by a mock in this process, at several times per request.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use orderfeed_mock_commerce::{MockCommerce, MockConfig, MockHandle};

use crate::fixture::Fixture;
use crate::{Args, report, say, wait};

/// Times that the API takes for each request, in milliseconds.
const LATENCIES_MS: [u64; 3] = [0, 20, 100];

/// Measures the first sync of `args.orders` orders.
pub fn rest(args: &Args) -> anyhow::Result<()> {
    for latency_ms in LATENCIES_MS {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let mut fixture = Fixture::new(args.orders, args.batch_events)?;
        let config = MockConfig {
            latency: Duration::from_millis(latency_ms),
            ..MockConfig::default()
        };
        let mock = runtime
            .block_on(MockCommerce::start(&fixture.shop(), config))
            .context("the mock")?;
        fixture.set_source(source(&mock));
        first_sync(args, &fixture, &mock, latency_ms)?;
        runtime.block_on(mock.shutdown());
    }
    Ok(())
}

fn first_sync(args: &Args, fixture: &Fixture, mock: &MockHandle, latency_ms: u64) -> anyhow::Result<()> {
    let edge = fixture.start_edge(0)?;
    let began = Instant::now();
    let daemon = fixture.start_daemon(&edge)?;
    let events = wait(fixture, &daemon, |seen| seen.valid && seen.pending == 0)?;
    let took = began.elapsed();
    report(
        &format!("first sync over REST, {latency_ms} ms a request"),
        args.orders as u64,
        "orders/s",
        took,
        daemon.usage()?,
        "64 MiB",
    )?;
    let ledger = mock.ledger();
    say(&format!(
        "  {events} events, {:.3} requests an order, at most {} at once, largest page {:?}: {:?}",
        ledger.total() as f64 / args.orders as f64,
        ledger.most_in_flight(),
        ledger.largest_page(),
        ledger.by_path(),
    ))
}

/// Returns the sections of the configuration. No rate is set, so that the time of a request decides.
fn source(mock: &MockHandle) -> String {
    let config = mock.config();
    let consumer = &config.consumer;
    format!(
        "[source]\nkind = \"rest\"\n[source.rest]\nurl = \"{}/rest/all/V1\"\nconsumer_key = \"{}\"\nconsumer_secret = \"{}\"\n\
         access_token = \"{}\"\naccess_token_secret = \"{}\"\nrequests_per_second = 1000\n",
        mock.url(),
        consumer.key,
        consumer.secret,
        consumer.token,
        consumer.token_secret
    )
}
