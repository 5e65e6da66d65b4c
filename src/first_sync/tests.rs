//! The machine by table and by property, the pace by scenario.

use proptest::prelude::*;

use super::pace::{Estimate, Limit, Pace, Sample, SenderFact};
use super::*;
use crate::store::first_sync::{FirstSyncRow, SyncState};
use orderfeed_model::clock::UtcMillis;

const WINDOW: i64 = 300_000;

fn row(state: SyncState) -> FirstSyncRow {
    FirstSyncRow {
        website: 1,
        state,
        started_at: UtcMillis(0),
        deadline: UtcMillis(WINDOW),
        floor: None,
        backfill: None,
        total_orders: 1000,
        done_orders: 0,
        events: 0,
        sent_events: 0,
        completed_at: None,
        warned_early: false,
        warned_late: false,
        limited_by: None,
        interrupted_at: None,
    }
}

fn facts(index: IndexFact, backfill: BackfillFact, pending: u64) -> Facts {
    Facts {
        enabled: true,
        index,
        backfill,
        pending,
        estimate: None,
        said_at: None,
    }
}

#[test]
fn each_state_waits_for_its_own_thing() {
    use BackfillFact::{None, Open};
    use IndexFact::{Busy, Invalid, Suspended, Valid};
    use SyncState::{Complete, NotStarted, Reindexing, Sending};
    let (full, own) = (Plan::Full, Plan::Own);
    let (done, backfills) = (BackfillFact::Complete, |plan| vec![Action::Backfill(plan)]);
    let becomes = |state| vec![Action::Become(state)];
    let table = [
        (NotStarted, facts(Invalid, None, 0), backfills(full)),
        (NotStarted, facts(Valid, None, 0), backfills(own)),
        (NotStarted, facts(Busy, None, 0), vec![]),
        (NotStarted, facts(Suspended, None, 0), vec![]),
        (NotStarted, facts(Invalid, Open(full), 0), becomes(Reindexing)),
        (Reindexing, facts(Invalid, Open(full), 5), backfills(full)),
        (Reindexing, facts(Busy, Open(full), 5), vec![]),
        (Reindexing, facts(Busy, Open(own), 5), backfills(own)),
        (Reindexing, facts(Valid, Open(own), 0), backfills(own)),
        (Reindexing, facts(Suspended, Open(own), 0), vec![]),
        (Reindexing, facts(Valid, done, 0), becomes(Sending)),
        (Sending, facts(Valid, done, 1), vec![]),
        (
            Sending,
            facts(Invalid, done, 0),
            vec![Action::Become(Complete), Action::Say(Line::Complete)],
        ),
        (Complete, facts(Invalid, None, 9), vec![]),
    ];
    for (state, facts, expected) in table {
        assert_eq!(
            decide(&row(state), &facts, UtcMillis(1)),
            expected,
            "{state:?} {facts:?}"
        );
    }
}

#[test]
fn a_website_from_now_passes_all_states_without_a_backfill() {
    let mut row = row(SyncState::NotStarted);
    row.floor = Some(row.started_at);
    for expected in [SyncState::Reindexing, SyncState::Sending, SyncState::Complete] {
        let facts = facts(IndexFact::Invalid, BackfillFact::None, 0);
        assert_eq!(decide(&row, &facts, UtcMillis(1))[0], Action::Become(expected));
        row.state = expected;
    }
}

#[test]
fn a_website_that_was_switched_off_waits_where_it_is_and_ends_what_is_queued() {
    let off = |index, backfill, pending| Facts {
        enabled: false,
        ..facts(index, backfill, pending)
    };
    let late = UtcMillis(WINDOW * 2);
    let interrupt = [Action::Interrupt, Action::Say(Line::Interrupted)];
    let mut half = row(SyncState::Reindexing);
    for backfill in [
        BackfillFact::None,
        BackfillFact::Open(Plan::Own),
        BackfillFact::Open(Plan::Full),
    ] {
        assert_eq!(
            decide(&half, &off(IndexFact::Valid, backfill, 7), late),
            interrupt
        );
    }
    half.interrupted_at = Some(UtcMillis(1));
    let open = BackfillFact::Open(Plan::Own);
    assert_eq!(decide(&half, &off(IndexFact::Valid, open, 7), late), []);
    let again = decide(&half, &facts(IndexFact::Invalid, open, 7), late);
    assert_eq!(again, [Action::Reopen, Action::Say(Line::Reopened)]);
    half.interrupted_at = None;
    let goes_on = decide(&half, &facts(IndexFact::Invalid, open, 7), UtcMillis(1));
    assert_eq!(goes_on, [Action::Backfill(Plan::Own)]);
    let begun = decide(
        &row(SyncState::Reindexing),
        &off(IndexFact::Valid, BackfillFact::Complete, 0),
        late,
    );
    assert_eq!(begun, [Action::Become(SyncState::Sending)]);
}

#[test]
fn warnings_are_said_once_and_not_before_they_are_sure() {
    let slow = Estimate {
        orders_per_second: 1.0,
        events_per_second: 1.0,
        finish_at: Some(UtcMillis(WINDOW + 1)),
        limit: Limit::Edge,
    };
    let stuck = Estimate {
        finish_at: None,
        ..slow
    };
    let says = |row: &FirstSyncRow, estimate, at| {
        let facts = Facts {
            estimate: Some(estimate),
            said_at: Some(UtcMillis(at)),
            ..facts(IndexFact::Valid, BackfillFact::Complete, 1)
        };
        decide(row, &facts, UtcMillis(at))
    };
    let mut row = row(SyncState::Sending);
    assert_eq!(says(&row, slow, WINDOW / 10 - 1), []);
    assert_eq!(says(&row, slow, WINDOW / 10), [Action::Say(Line::WillMiss(slow))]);
    assert_eq!(says(&row, stuck, WINDOW / 5 - 1), []);
    assert_eq!(
        says(&row, stuck, WINDOW / 5),
        [Action::Say(Line::WillMiss(stuck))]
    );
    row.warned_early = true;
    assert_eq!(says(&row, slow, WINDOW / 2), []);
    assert_eq!(says(&row, slow, WINDOW + 1), [Action::Say(Line::Overdue)]);
    row.warned_late = true;
    assert_eq!(says(&row, slow, WINDOW + 1), []);
}

#[test]
fn progress_is_said_every_ten_seconds() {
    let said: Vec<i64> = {
        let (row, mut said_at, mut said) = (row(SyncState::Sending), None, Vec::new());
        for second in 1..35 {
            let now = UtcMillis(second * 1000);
            let facts = Facts {
                said_at,
                ..facts(IndexFact::Valid, BackfillFact::Complete, 1)
            };
            if decide(&row, &facts, now).contains(&Action::Say(Line::Progress)) {
                said_at = Some(now);
                said.push(second);
            }
        }
        said
    };
    assert_eq!(said, [10, 20, 30]);
}

/// Ten seconds in which `last` came about.
fn over_ten_seconds(last: Sample, row: &FirstSyncRow, pending: u64, sender: SenderFact) -> Estimate {
    let mut pace = Pace::default();
    pace.add(Sample::default());
    pace.add(Sample {
        at: UtcMillis(10_000),
        ..last
    });
    pace.estimate(row, pending, sender).unwrap()
}

#[test]
fn the_limit_is_what_was_measured() {
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
    let gate = Sample {
        gate_waits: 50,
        ..read
    };
    let running = SenderFact::Running;
    let table = [
        (source, &reading, 10, running, Limit::Source),
        (disk, &reading, 10, running, Limit::Disk),
        (bound, &reading, 10, running, Limit::OutboxBound),
        (gate, &sending, 5000, running, Limit::RateLimit),
        (read, &sending, 5000, running, Limit::Edge),
        (read, &sending, 5000, SenderFact::Throttled, Limit::RateLimit),
        (read, &reading, 10, SenderFact::Failing, Limit::Edge),
        (read, &reading, 10, SenderFact::Paused, Limit::Paused),
    ];
    for (last, row, pending, sender, expected) in table {
        let estimate = over_ten_seconds(last, row, pending, sender);
        assert_eq!(estimate.limit, expected, "{last:?} {sender:?}");
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
    let estimate = over_ten_seconds(last, &row, 200, SenderFact::Running);
    assert_eq!(estimate.finish_at, Some(UtcMillis(10_000 + 190_000)));
    let stuck = over_ten_seconds(Sample::default(), &row, 200, SenderFact::Failing);
    assert_eq!(stuck.finish_at, None);
}

/// What can happen to a first sync from outside.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Tick(i64),
    Restart,
    Backfill(bool),
    Send,
    Index(u8),
    Enable(bool),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        (0i64..100_000).prop_map(Deed::Tick),
        Just(Deed::Restart),
        any::<bool>().prop_map(Deed::Backfill),
        Just(Deed::Send),
        (0u8..4).prop_map(Deed::Index),
        any::<bool>().prop_map(Deed::Enable),
    ];
    prop::collection::vec(deed, 0..80)
}

proptest! {
    /// The states come one by one, a backfill that is asked for is the one that is open, each warning comes once, and when
    /// everything works again it becomes complete, wherever it was interrupted.
    #[test]
    fn it_never_goes_back_never_skips_and_always_ends(deeds in deeds(), from_now in any::<bool>()) {
        let mut row = row(SyncState::NotStarted);
        row.floor = from_now.then_some(row.started_at);
        let mut seen = facts(IndexFact::Invalid, BackfillFact::None, 0);
        let (mut now, mut early, mut late) = (UtcMillis(0), 0, 0);
        let mut step = |row: &mut FirstSyncRow, seen: &mut Facts, now: UtcMillis| -> Result<(), TestCaseError> {
            let actions = decide(row, seen, now);
            for action in &actions {
                match action {
                    Action::Become(next) => {
                        let index = SyncState::ALL.iter().position(|state| *state == row.state).unwrap();
                        prop_assert_eq!(SyncState::ALL.get(index + 1), Some(next));
                        row.state = *next;
                    }
                    Action::Interrupt => {
                        prop_assert!(!seen.enabled && row.state <= SyncState::Reindexing);
                        row.interrupted_at = Some(now);
                    }
                    Action::Reopen => {
                        prop_assert!(seen.enabled);
                        (row.interrupted_at, row.warned_early, row.warned_late) = (None, false, false);
                        (row.started_at, row.deadline, early, late) = (now, now.plus_millis(WINDOW), 0, 0);
                    }
                    Action::Backfill(plan) => {
                        prop_assert!(seen.enabled);
                        prop_assert!(matches!(seen.backfill, BackfillFact::None) || seen.backfill == BackfillFact::Open(*plan));
                        prop_assert!(row.state <= SyncState::Reindexing);
                        if seen.backfill == BackfillFact::None {
                            (seen.backfill, seen.pending) = (BackfillFact::Open(*plan), 3);
                        }
                    }
                    Action::Say(Line::WillMiss(_)) => { row.warned_early = true; early += 1; }
                    Action::Say(Line::Overdue) => { row.warned_late = true; late += 1; }
                    Action::Say(Line::Progress) => seen.said_at = Some(now),
                    Action::Say(Line::Interrupted | Line::Reopened) => {}
                    Action::Say(Line::Complete) => prop_assert_eq!(row.state, SyncState::Complete),
                }
            }
            prop_assert!(early <= 1 && late <= 1, "each warning comes once in a window");
            Ok(())
        };
        for deed in deeds {
            match deed {
                Deed::Tick(ms) => now = now.plus_millis(ms),
                Deed::Restart => seen.said_at = None,
                Deed::Backfill(true) if matches!(seen.backfill, BackfillFact::Open(_)) => seen.backfill = BackfillFact::Complete,
                Deed::Backfill(_) => {}
                Deed::Send => seen.pending = 0,
                Deed::Index(index) => {
                    seen.index = [IndexFact::Invalid, IndexFact::Busy, IndexFact::Valid, IndexFact::Suspended][usize::from(index)];
                }
                Deed::Enable(on) => seen.enabled = on,
            }
            step(&mut row, &mut seen, now)?;
        }
        (seen.enabled, seen.index) = (true, IndexFact::Invalid);
        for _ in 0..9 {
            step(&mut row, &mut seen, now)?;
            if matches!(seen.backfill, BackfillFact::Open(_)) {
                seen.backfill = BackfillFact::Complete;
            }
            seen.pending = 0;
        }
        prop_assert_eq!(row.state, SyncState::Complete);
        prop_assert!(row.interrupted_at.is_none());
    }
}
