//! A pause binds everything that shares what asked for it, and nothing else: a datastream, the organization, the token
//! client. It survives a restart.

use orderfeed::config::Website;
use orderfeed::store::outbox::{EventState, Pause, PauseScope, SenderState};
use orderfeed_emulator::{DEFAULT_DATASTREAM, DatastreamConfig};
use orderfeed_model::clock::Clock;
use serde_json::{Value, json};

use crate::delivery::fixture::Fixture;

const OTHER: &str = "11111111-2222-4333-8444-555555555555";
const PAUSE_MS: i64 = 600_000;

/// `base` and `uk` share a datastream, `eu` has its own. The clock stands still, and the first answer is scripted.
async fn three_websites(step: Value) -> Fixture {
    let mut fixture = Fixture::with(
        |edge| {
            edge.datastreams
                .insert(OTHER.to_owned(), DatastreamConfig::default());
        },
        |config| {
            let shared = config.websites["base"].clone();
            config.websites.insert("uk".to_owned(), shared);
            let own = Website::sending_to(OTHER.parse().unwrap());
            config.websites.insert("eu".to_owned(), own);
        },
    )
    .await;
    fixture.clock = Clock::manual(Clock::System.now());
    fixture.script(json!([step]));
    fixture.enqueue("base", &[1], &[1]).await;
    fixture
}

async fn pauses(fixture: &Fixture) -> Vec<Pause> {
    fixture.store.read(|reader| reader.pauses()).await.unwrap()
}

impl Fixture {
    fn requests_to(&self, datastream: &str) -> usize {
        let rows = self.requests();
        rows.iter()
            .filter(|row| row.datastream.as_deref() == Some(datastream))
            .count()
    }

    fn token_requests(&self) -> usize {
        let rows = self.emulator.requests();
        rows.iter().filter(|row| row.path.contains("/ims/")).count()
    }

    /// Ends the pauses, and wakes all senders with one more event.
    async fn end_pauses(&self) {
        self.clock.set(self.clock.now().plus_millis(PAUSE_MS));
        self.enqueue("eu", &[99], &[1]).await;
        self.until_nothing_is_pending().await;
    }
}

#[tokio::test]
async fn a_pause_of_a_datastream_binds_the_websites_that_share_it() {
    let mut fixture = three_websites(json!({"status": 503, "retry_after": "600"})).await;
    let running = fixture.run();
    fixture.until_sender("base", SenderState::BackingOff).await;
    fixture.enqueue("uk", &[2], &[1]).await;
    fixture.enqueue("eu", &[3], &[1]).await;
    fixture.until(&[3], EventState::Delivered).await;
    fixture.stop(running).await;
    fixture.revive();
    let running = fixture.run();
    fixture.enqueue("eu", &[4], &[1]).await;
    fixture.until(&[4], EventState::Delivered).await;
    assert_eq!(
        fixture.requests_to(DEFAULT_DATASTREAM),
        1,
        "{:#?}",
        fixture.requests()
    );
    assert_eq!(pauses(&fixture).await[0].key.scope, PauseScope::Datastream);
    fixture.end_pauses().await;
    fixture.stop(running).await;
    fixture.assert_promises();
}

#[tokio::test]
async fn a_used_up_quota_pauses_every_website() {
    let fixture = three_websites(json!({"status": 429, "retry_after": "600"})).await;
    let running = fixture.run();
    fixture.until_sender("base", SenderState::BackingOff).await;
    fixture.enqueue("eu", &[2], &[1]).await;
    // The sender of eu reads its batch, and then the next one.
    fixture.enqueue("eu", &[3], &[1]).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(fixture.requests().len(), 1, "{:#?}", fixture.requests());
    assert_eq!(pauses(&fixture).await[0].key.scope, PauseScope::Organization);
    fixture.end_pauses().await;
    fixture.stop(running).await;
}

#[tokio::test]
async fn a_pause_of_the_token_service_binds_its_client_also_after_a_restart() {
    let step = json!({"status": 429, "retry_after": "600", "match": {"path": "/ims/token"}});
    let mut fixture = three_websites(step).await;
    let running = fixture.run();
    fixture.until_sender("base", SenderState::BackingOff).await;
    fixture.enqueue("eu", &[2], &[1]).await;
    fixture.until_sender("eu", SenderState::BackingOff).await;
    fixture.stop(running).await;
    fixture.revive();
    let running = fixture.run();
    fixture.enqueue("uk", &[3], &[1]).await;
    let row = fixture.until_sender("uk", SenderState::BackingOff).await;
    assert_eq!((row.code.as_str(), fixture.token_requests()), ("ims_429", 1));
    let stored = pauses(&fixture).await;
    let scopes: Vec<_> = stored.iter().map(|pause| pause.key.scope).collect();
    assert_eq!(scopes, [PauseScope::TokenClient], "the datastream has no pause");
    fixture.end_pauses().await;
    assert_eq!(fixture.token_requests(), 2);
    fixture.stop(running).await;
}

#[tokio::test]
async fn a_date_is_measured_against_the_clock_of_its_answer() {
    for ahead_s in [300, -300] {
        let now = Clock::System.now();
        let edge_time = now.plus_millis(ahead_s * 1000).rfc3339();
        let fixture = Fixture::with(|edge| edge.clock = Some(edge_time), |_| {}).await;
        fixture.script(json!([{"status": 503, "retry_after_date_s": 60}]));
        fixture.enqueue("base", &[1], &[1]).await;
        let running = fixture.run();
        fixture
            .eventually("the pause is stored", async || !pauses(&fixture).await.is_empty())
            .await;
        let pause = &pauses(&fixture).await[0];
        let asked = pause.until.millis_since(pause.asked_at);
        assert!((58_000..=60_000).contains(&asked), "{asked} ms at {ahead_s} s");
        fixture.stop(running).await;
    }
}
