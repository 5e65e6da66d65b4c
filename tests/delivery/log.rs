//! The log of delivery: few lines, each readable alone, without secrets or personal data.

use std::io::Write;
use std::sync::{Arc, Mutex};

use orderfeed::store::outbox::SenderState;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::delivery::rig::{Rig, id};
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
async fn failures_are_three_lines_dead_letters_one_each_and_nothing_secret_is_said() {
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

    let rig = Rig::new().await;
    rig.script(json!([
        {"code": "0305-400", "times": 0, "match": {"contains_id": id(3, 1)}},
        {"status": 503, "code": "0000", "times": 4},
    ]));
    let running = rig.run();
    rig.enqueue("base", &[1, 2, 3, 4], &[1]).await;
    rig.until_nothing_is_pending().await;
    rig.eventually("the dead letter is announced", async || {
        log.lines("Event parked").len() == 1
    })
    .await;
    rig.script(json!([{"code": "0004-422", "times": 2}]));
    rig.enqueue("base", &[5], &[1]).await;
    rig.until_sender("base", SenderState::Halted).await;
    rig.until_nothing_is_pending().await;
    rig.stop(running).await;

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
    assert_eq!(log.lines("Request answered").len(), rig.requests().len());
    leaks::assert_none("the log", &log.lines("").join("\n"));
}
