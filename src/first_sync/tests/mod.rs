//! The state machine by table and by property.

mod pace;

use proptest::prelude::*;

use super::pace::{Bottleneck, Estimate};
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

fn observed(index: IndexCondition, backfill: BackfillCondition, pending: u64) -> Observation {
    Observation {
        enabled: true,
        index,
        backfill,
        pending,
        estimate: None,
        logged_at: None,
    }
}

#[test]
fn each_state_waits_for_its_own_thing() {
    use BackfillCondition::{None, Open};
    use IndexCondition::{Busy, Invalid, Suspended, Valid};
    use SyncState::{Complete, NotStarted, Reindexing, Sending};
    let (full, own) = (BackfillPlan::Full, BackfillPlan::Website);
    let (done, backfills) = (BackfillCondition::Complete, |plan| {
        vec![SyncAction::Backfill(plan)]
    });
    let becomes = |state| vec![SyncAction::Become(state)];
    let table = [
        (NotStarted, observed(Invalid, None, 0), backfills(full)),
        (NotStarted, observed(Valid, None, 0), backfills(own)),
        (NotStarted, observed(Busy, None, 0), vec![]),
        (NotStarted, observed(Suspended, None, 0), vec![]),
        (NotStarted, observed(Invalid, Open(full), 0), becomes(Reindexing)),
        (Reindexing, observed(Invalid, Open(full), 5), backfills(full)),
        (Reindexing, observed(Busy, Open(full), 5), vec![]),
        (Reindexing, observed(Busy, Open(own), 5), backfills(own)),
        (Reindexing, observed(Valid, Open(own), 0), backfills(own)),
        (Reindexing, observed(Suspended, Open(own), 0), vec![]),
        (Reindexing, observed(Valid, done, 0), becomes(Sending)),
        (Sending, observed(Valid, done, 1), vec![]),
        (
            Sending,
            observed(Invalid, done, 0),
            vec![SyncAction::Become(Complete), SyncAction::Log(Notice::Complete)],
        ),
        (Complete, observed(Invalid, None, 9), vec![]),
    ];
    for (state, observed, expected) in table {
        assert_eq!(
            decide(&row(state), &observed, UtcMillis(1)),
            expected,
            "{state:?} {observed:?}"
        );
    }
}

#[test]
fn a_website_from_now_passes_all_states_without_a_backfill() {
    let mut row = row(SyncState::NotStarted);
    row.floor = Some(row.started_at);
    for expected in [SyncState::Reindexing, SyncState::Sending, SyncState::Complete] {
        let observed = observed(IndexCondition::Invalid, BackfillCondition::None, 0);
        assert_eq!(
            decide(&row, &observed, UtcMillis(1))[0],
            SyncAction::Become(expected)
        );
        row.state = expected;
    }
}

#[test]
fn a_website_that_is_switched_off_waits_and_finishes_what_is_queued() {
    let off = |index, backfill, pending| Observation {
        enabled: false,
        ..observed(index, backfill, pending)
    };
    let late = UtcMillis(WINDOW * 2);
    let interrupt = [SyncAction::Interrupt, SyncAction::Log(Notice::Interrupted)];
    let mut half = row(SyncState::Reindexing);
    for backfill in [
        BackfillCondition::None,
        BackfillCondition::Open(BackfillPlan::Website),
        BackfillCondition::Open(BackfillPlan::Full),
    ] {
        assert_eq!(
            decide(&half, &off(IndexCondition::Valid, backfill, 7), late),
            interrupt
        );
    }
    half.interrupted_at = Some(UtcMillis(1));
    let open = BackfillCondition::Open(BackfillPlan::Website);
    assert_eq!(decide(&half, &off(IndexCondition::Valid, open, 7), late), []);
    let again = decide(&half, &observed(IndexCondition::Invalid, open, 7), late);
    assert_eq!(again, [SyncAction::Reopen, SyncAction::Log(Notice::Reopened)]);
    half.interrupted_at = None;
    let continued = decide(&half, &observed(IndexCondition::Invalid, open, 7), UtcMillis(1));
    assert_eq!(continued, [SyncAction::Backfill(BackfillPlan::Website)]);
    let begun = decide(
        &row(SyncState::Reindexing),
        &off(IndexCondition::Valid, BackfillCondition::Complete, 0),
        late,
    );
    assert_eq!(begun, [SyncAction::Become(SyncState::Sending)]);
}

#[test]
fn warnings_are_logged_once_and_not_before_they_are_sure() {
    let slow = Estimate {
        orders_per_second: 1.0,
        events_per_second: 1.0,
        finish_at: Some(UtcMillis(WINDOW + 1)),
        bottleneck: Bottleneck::Edge,
    };
    let stuck = Estimate {
        finish_at: None,
        ..slow
    };
    let notices = |row: &FirstSyncRow, estimate, at| {
        let observed = Observation {
            estimate: Some(estimate),
            logged_at: Some(UtcMillis(at)),
            ..observed(IndexCondition::Valid, BackfillCondition::Complete, 1)
        };
        decide(row, &observed, UtcMillis(at))
    };
    let mut row = row(SyncState::Sending);
    assert_eq!(notices(&row, slow, WINDOW / 10 - 1), []);
    assert_eq!(
        notices(&row, slow, WINDOW / 10),
        [SyncAction::Log(Notice::WillMiss(slow))]
    );
    assert_eq!(notices(&row, stuck, WINDOW / 5 - 1), []);
    assert_eq!(
        notices(&row, stuck, WINDOW / 5),
        [SyncAction::Log(Notice::WillMiss(stuck))]
    );
    row.warned_early = true;
    assert_eq!(notices(&row, slow, WINDOW / 2), []);
    assert_eq!(
        notices(&row, slow, WINDOW + 1),
        [SyncAction::Log(Notice::Overdue)]
    );
    row.warned_late = true;
    assert_eq!(notices(&row, slow, WINDOW + 1), []);
}

#[test]
fn progress_is_logged_every_ten_seconds() {
    let logged: Vec<i64> = {
        let (row, mut logged_at, mut logged) = (row(SyncState::Sending), None, Vec::new());
        for second in 1..35 {
            let now = UtcMillis(second * 1000);
            let observed = Observation {
                logged_at,
                ..observed(IndexCondition::Valid, BackfillCondition::Complete, 1)
            };
            if decide(&row, &observed, now).contains(&SyncAction::Log(Notice::Progress)) {
                logged_at = Some(now);
                logged.push(second);
            }
        }
        logged
    };
    assert_eq!(logged, [10, 20, 30]);
}

/// Something that happens to a first sync from outside.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Tick(i64),
    Restart,
    Backfill(bool),
    Send,
    Index(u8),
    Enable(bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        (0i64..100_000).prop_map(Happening::Tick),
        Just(Happening::Restart),
        any::<bool>().prop_map(Happening::Backfill),
        Just(Happening::Send),
        (0u8..4).prop_map(Happening::Index),
        any::<bool>().prop_map(Happening::Enable),
    ];
    prop::collection::vec(happening, 0..80)
}

proptest! {
    /// The states come one by one, a backfill that is asked for is the one that is open, each warning comes once, and when
    /// everything works again it becomes complete, wherever it was interrupted.
    #[test]
    fn it_never_goes_back_never_skips_and_always_ends(happenings in happenings(), from_now in any::<bool>()) {
        let mut row = row(SyncState::NotStarted);
        row.floor = from_now.then_some(row.started_at);
        let mut seen = observed(IndexCondition::Invalid, BackfillCondition::None, 0);
        let (mut now, mut early, mut late) = (UtcMillis(0), 0, 0);
        let mut step = |row: &mut FirstSyncRow, seen: &mut Observation, now: UtcMillis| -> Result<(), TestCaseError> {
            let actions = decide(row, seen, now);
            for action in &actions {
                match action {
                    SyncAction::Become(next) => {
                        let index = SyncState::ALL.iter().position(|state| *state == row.state).unwrap();
                        prop_assert_eq!(SyncState::ALL.get(index + 1), Some(next));
                        row.state = *next;
                    }
                    SyncAction::Interrupt => {
                        prop_assert!(!seen.enabled && row.state <= SyncState::Reindexing);
                        row.interrupted_at = Some(now);
                    }
                    SyncAction::Reopen => {
                        prop_assert!(seen.enabled);
                        (row.interrupted_at, row.warned_early, row.warned_late) = (None, false, false);
                        (row.started_at, row.deadline, early, late) = (now, now.plus_millis(WINDOW), 0, 0);
                    }
                    SyncAction::Backfill(plan) => {
                        prop_assert!(seen.enabled);
                        prop_assert!(matches!(seen.backfill, BackfillCondition::None) || seen.backfill == BackfillCondition::Open(*plan));
                        prop_assert!(row.state <= SyncState::Reindexing);
                        if seen.backfill == BackfillCondition::None {
                            (seen.backfill, seen.pending) = (BackfillCondition::Open(*plan), 3);
                        }
                    }
                    SyncAction::Log(Notice::WillMiss(_)) => { row.warned_early = true; early += 1; }
                    SyncAction::Log(Notice::Overdue) => { row.warned_late = true; late += 1; }
                    SyncAction::Log(Notice::Progress) => seen.logged_at = Some(now),
                    SyncAction::Log(Notice::Interrupted | Notice::Reopened) => {}
                    SyncAction::Log(Notice::Complete) => prop_assert_eq!(row.state, SyncState::Complete),
                }
            }
            prop_assert!(early <= 1 && late <= 1, "each warning comes once in a window");
            Ok(())
        };
        for happening in happenings {
            match happening {
                Happening::Tick(ms) => now = now.plus_millis(ms),
                Happening::Restart => seen.logged_at = None,
                Happening::Backfill(true) if matches!(seen.backfill, BackfillCondition::Open(_)) => seen.backfill = BackfillCondition::Complete,
                Happening::Backfill(_) => {}
                Happening::Send => seen.pending = 0,
                Happening::Index(index) => {
                    seen.index = [IndexCondition::Invalid, IndexCondition::Busy, IndexCondition::Valid, IndexCondition::Suspended][usize::from(index)];
                }
                Happening::Enable(on) => seen.enabled = on,
            }
            step(&mut row, &mut seen, now)?;
        }
        (seen.enabled, seen.index) = (true, IndexCondition::Invalid);
        for _ in 0..9 {
            step(&mut row, &mut seen, now)?;
            if matches!(seen.backfill, BackfillCondition::Open(_)) {
                seen.backfill = BackfillCondition::Complete;
            }
            seen.pending = 0;
        }
        prop_assert_eq!(row.state, SyncState::Complete);
        prop_assert!(row.interrupted_at.is_none());
    }
}
