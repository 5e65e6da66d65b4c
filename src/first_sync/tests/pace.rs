//! The pace by scenario.

use super::row;
use crate::first_sync::pace::{Bottleneck, Estimate, Pace, Sample};
use crate::store::first_sync::{FirstSyncRow, SyncState};
use crate::store::outbox::{Pause, PauseKey, PauseScope, SenderRow, SenderState};
use orderfeed_model::clock::UtcMillis;

fn sender(state: SenderState, code: &str) -> SenderRow {
    SenderRow {
        website: 1,
        state,
        code: code.to_owned(),
        reason: String::new(),
        since: UtcMillis(0),
        until: None,
        failures: 1,
    }
}

/// Returns the estimate after ten seconds in which the counters reached those of `last`.
fn over_ten_seconds(
    last: Sample,
    row: &FirstSyncRow,
    pending: u64,
    sender: &SenderRow,
    asked_pause: Option<&str>,
) -> Estimate {
    let asked_pause = asked_pause.map(|code| Pause {
        key: PauseKey {
            scope: PauseScope::Organization,
            owner: String::new(),
        },
        until: UtcMillis(20_000),
        asked_at: UtcMillis(0),
        code: code.to_owned(),
    });
    let mut pace = Pace::default();
    pace.add(Sample::default());
    pace.add(Sample {
        at: UtcMillis(10_000),
        ..last
    });
    pace.estimate(row, pending, Some(sender), asked_pause.as_ref())
        .unwrap()
}

#[test]
fn the_bottleneck_is_what_was_measured() {
    let mut reading = row(SyncState::Reindexing);
    (reading.done_orders, reading.events) = (100, 400);
    let mut sending = reading.clone();
    sending.state = SyncState::Sending;
    let read = Sample {
        orders: 100,
        sent: 390,
        ..Sample::default()
    };
    let source = Sample {
        reading_ms: 9000,
        applying_ms: 900,
        ..read
    };
    let down = Sample {
        source_failures: 3,
        reading_ms: 9000,
        ..Sample::default()
    };
    let disk = Sample {
        reading_ms: 900,
        applying_ms: 9000,
        ..read
    };
    let bound = Sample {
        waiting_ms: 8000,
        reading_ms: 900,
        applying_ms: 900,
        ..read
    };
    let limited = Sample {
        rate_limit_waits: 50,
        ..read
    };
    let running = &sender(SenderState::Running, "");
    let throttled = &sender(SenderState::BackingOff, "http_429");
    let failing = &sender(SenderState::BackingOff, "http_503");
    let halted = &sender(SenderState::Halted, "EXEG-0003-400");
    let paused = &sender(SenderState::Paused, "paused");
    let table = [
        (source, &reading, 10, running, None, Bottleneck::Source),
        (down, &reading, 0, running, None, Bottleneck::SourceDown),
        (disk, &reading, 10, running, None, Bottleneck::Disk),
        (bound, &reading, 10, running, None, Bottleneck::OutboxBound),
        (limited, &sending, 5000, running, None, Bottleneck::RateLimit),
        (read, &sending, 5000, running, None, Bottleneck::Edge),
        (read, &sending, 5000, throttled, None, Bottleneck::RateLimit),
        (read, &reading, 10, failing, None, Bottleneck::Edge),
        (read, &reading, 10, halted, None, Bottleneck::Edge),
        (read, &reading, 10, paused, None, Bottleneck::Paused),
        // Another website got the answer.
        (
            source,
            &reading,
            10,
            running,
            Some("EXEG-0303-429"),
            Bottleneck::RateLimit,
        ),
        (read, &sending, 5000, running, Some("http_503"), Bottleneck::Edge),
        (read, &sending, 5000, paused, Some("http_429"), Bottleneck::Paused),
    ];
    for (last, row, pending, sender, asked_pause, expected) in table {
        let estimate = over_ten_seconds(last, row, pending, sender, asked_pause);
        assert_eq!(
            estimate.bottleneck, expected,
            "{last:?} {sender:?} {asked_pause:?}"
        );
    }
}

#[test]
fn the_end_is_when_the_slower_of_reading_and_sending_ends() {
    let mut row = row(SyncState::Reindexing);
    (row.done_orders, row.events) = (100, 400);
    let last = Sample {
        orders: 100,
        sent: 200,
        ..Sample::default()
    };
    // 900 orders at 10 a second are 90 s; 200 + 3600 events at 20 a second are 190 s.
    let estimate = over_ten_seconds(last, &row, 200, &sender(SenderState::Running, ""), None);
    assert_eq!(estimate.finish_at, Some(UtcMillis(10_000 + 190_000)));
    let stuck = over_ten_seconds(
        Sample::default(),
        &row,
        200,
        &sender(SenderState::Halted, ""),
        None,
    );
    assert_eq!(stuck.finish_at, None);
}
