//! The log of delivery: few lines, each readable alone, without secrets or personal data.

use std::io::Write;
use std::sync::{Arc, Mutex};

use orderfeed::store::outbox::SenderState;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::delivery::fixture::{Fixture, id};
use crate::support::leaks;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self, part: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .filter(|line| line.contains(part))
            .map(str::to_owned)
            .collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn an_outage_is_three_lines_a_parked_event_one_and_nothing_secret_is_logged() {
    let log = Log::default();
    // With a single dispatcher in the process, tracing caches the interest of the thread that reaches a log line
    // first, which may belong to another test without a subscriber. A second dispatcher makes it ask both.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let fixture = Fixture::new().await;
    fixture.script(json!([
        {"code": "0305-400", "times": 0, "match": {"contains_id": id(3, 1)}},
        {"status": 503, "code": "0000", "times": 4},
    ]));
    let running = fixture.run();
    fixture.enqueue("base", &[1, 2, 3, 4], &[1]).await;
    fixture.until_nothing_is_pending().await;
    fixture
        .eventually("the dead letter is announced", async || {
            log.lines("Event parked").len() == 1
        })
        .await;
    fixture.script(json!([{"code": "0004-422", "times": 2}]));
    fixture.enqueue("base", &[5], &[1]).await;
    fixture.until_sender("base", SenderState::Halted).await;
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;

    assert_eq!(log.lines("Delivery to the edge failed").len(), 1);
    assert_eq!(log.lines("Delivery recovered").len(), 1);
    let halt = log.lines("Delivery halted");
    assert!(halt.len() == 1 && halt[0].contains("EXEG-0004-422") && halt[0].contains("remedy="));
    assert_eq!(log.lines("Delivery resumed after a halt").len(), 1);
    let parked = &log.lines("Event parked")[0];
    assert!(
        parked.contains("kind=\"placed\"") && parked.contains("orderfeed failed show"),
        "{parked}"
    );
    assert_eq!(log.lines("Request answered").len(), fixture.requests().len());
    leaks::assert_none("the log", &log.lines("").join("\n"));
}
