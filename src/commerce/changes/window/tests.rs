//! The window's promises about late commits, one test each.

use super::*;
use proptest::prelude::*;

const OVERLAP: Duration = Duration::from_secs(10);
const SECOND: i64 = 1_000_000;

/// A table of rows: the mark of each, and the second from which on it is visible.
struct Table(Vec<(Mark, i64)>);

impl Table {
    /// Returns the rows of a range that are visible at the second `now`.
    fn rows(&self, range: RowRange, now: i64) -> Vec<SeenRow> {
        let until = match range.pass {
            Pass::Window => None,
            Pass::Front => Some(at(now, i64::MAX)),
            Pass::Tail(horizon) => Some(horizon),
        };
        let is_within = |row: &Mark| row.at.is_none() || until.is_none_or(|until| *row <= until);
        let mut rows: Vec<_> = self
            .0
            .iter()
            .filter(|(row, shows)| *row > range.after && is_within(row) && *shows <= now)
            .map(|(row, _)| seen_row(*row))
            .collect();
        rows.sort_by_key(|row| row.mark);
        rows.truncate(range.limit);
        rows
    }
}

fn seen_row(mark: Mark) -> SeenRow {
    SeenRow {
        mark,
        order: Some(mark.id),
        table: "sales_order",
        op: ChangeOp::Upsert,
    }
}

fn at(second: i64, id: i64) -> Mark {
    Mark {
        at: Some(second * SECOND),
        id,
    }
}

/// Makes one call: reads until nothing more is due at once.
fn call(window: &mut OverlapWindow, table: &Table, now: i64, limit: usize) -> Vec<Change> {
    let mut changes = Vec::new();
    while step(window, table, now, limit, &mut changes) {}
    changes
}

/// Reads one range. Returns true if another is due at once.
fn step(
    window: &mut OverlapWindow,
    table: &Table,
    now: i64,
    limit: usize,
    changes: &mut Vec<Change>,
) -> bool {
    let time = CallTime {
        elapsed: Duration::from_secs(now.unsigned_abs()),
        now: now * SECOND,
    };
    window.apply_clock(time.now);
    let range = window.next_range(time.elapsed, limit);
    let rows = table.rows(range, now);
    let page = RowPage {
        rows: &rows,
        returned: rows.len(),
    };
    window.apply(range, page, time, limit, changes).unwrap()
}

fn new(start: i64) -> OverlapWindow {
    OverlapWindow::new(OVERLAP, WindowCursor::at(at(start, 0)))
}

#[test]
fn a_late_commit_is_reported_at_the_next_call_and_once() {
    let mut window = new(100);
    let table = Table(vec![(at(105, 1), 105), (at(103, 2), 108)]);
    assert_eq!(call(&mut window, &table, 106, 9).len(), 1);
    let late = call(&mut window, &table, 108, 9);
    assert_eq!(late.iter().map(|change| change.order).collect::<Vec<_>>(), [2]);
    assert_eq!(call(&mut window, &table, 109, 9), []);
}

#[test]
fn a_row_that_leaves_the_window_is_rechecked_once() {
    let mut window = new(100);
    let table = Table(vec![(at(105, 1), 105)]);
    assert_eq!(call(&mut window, &table, 105, 9)[0].op, ChangeOp::Upsert);
    assert_eq!(call(&mut window, &table, 114, 9), []);
    assert_eq!(call(&mut window, &table, 116, 9)[0].op, ChangeOp::Recheck);
    assert_eq!(call(&mut window, &table, 117, 9), []);
    assert_eq!(window.cursor().tail, at(105, 1));
    assert!(window.reported.is_empty());
}

#[test]
fn a_row_of_the_future_is_reported_and_hides_nothing() {
    let mut window = new(100);
    let table = Table(vec![(at(500, 1), 101), (at(102, 2), 102)]);
    assert_eq!(call(&mut window, &table, 101, 9)[0].order, 1);
    assert_eq!(call(&mut window, &table, 102, 9)[0].order, 2);
    assert_eq!(window.cursor().front, at(102, 2));
}

#[test]
fn a_clock_that_was_set_back_takes_the_position_back() {
    let mut window = new(1000);
    let table = Table(vec![(at(1000, 1), 0), (at(602, 2), 602)]);
    assert!(!window.apply_clock(999 * SECOND));
    assert!(window.apply_clock(600 * SECOND));
    assert_eq!(
        call(&mut window, &table, 602, 9)
            .iter()
            .filter(|change| change.order == 2)
            .count(),
        1
    );
}

#[test]
fn too_many_rows_in_one_second_are_paged_and_not_kept() {
    let rows = i64::try_from(WINDOW_ROWS).unwrap() + 500;
    let table = Table((1..=rows).map(|id| (at(101, id), 101)).collect());
    let mut window = new(100);
    let mut first = 0;
    let mut more = true;
    while more {
        let mut changes = Vec::new();
        more = step(&mut window, &table, 102, 1000, &mut changes);
        assert!(window.reported.len() <= WINDOW_ROWS && changes.len() <= 1000);
        first += changes.len();
    }
    assert_eq!(first, usize::try_from(rows).unwrap());
    let mut again = 0;
    for second in 115..150 {
        again += call(&mut window, &table, second, 1000)
            .iter()
            .filter(|c| c.op == ChangeOp::Recheck)
            .count();
    }
    assert_eq!(again, usize::try_from(rows).unwrap());
}

#[test]
fn many_rows_within_a_second_are_distinguished_by_their_fraction() {
    let marks = (0..50).map(|id| Mark {
        at: Some(101 * SECOND + 900 - id),
        id,
    });
    let table = Table(marks.map(|mark| (mark, 102)).collect());
    let mut window = new(100);
    let found = call(&mut window, &table, 102, 7);
    assert_eq!(found.len(), 50);
}

#[test]
fn a_page_that_does_not_move_the_position_is_an_error() {
    let mut window = new(100);
    let time = CallTime {
        elapsed: Duration::ZERO,
        now: 102 * SECOND,
    };
    let range = window.next_range(time.elapsed, 5);
    let page = RowPage {
        rows: &[],
        returned: 5,
    };
    let stuck = window.apply(range, page, time, 5, &mut Vec::new());
    assert_eq!(
        stuck,
        Err(Stuck {
            position: at(100, 0),
            returned: 5
        })
    );
}

#[test]
fn positions_survive_as_text() {
    let cursor = WindowCursor {
        front: at(1_700_000_000, 7),
        tail: at(1_699_999_880, 3),
    };
    assert_eq!(cursor.to_string(), "2023-11-14 22:13:20/7;2023-11-14 22:11:20/3");
    assert_eq!(WindowCursor::parse(&cursor.to_string(), true), Some(cursor));
    let keys = WindowCursor {
        front: Mark::of_key(12),
        tail: Mark::of_key(9),
    };
    assert_eq!(keys.to_string(), "12;9");
    assert_eq!(WindowCursor::parse("12;9", false), Some(keys));
    let precise = WindowCursor::at(Mark {
        at: Some(1_700_000_000_000_250),
        id: 7,
    });
    assert_eq!(
        precise.to_string(),
        "2023-11-14 22:13:20.000250/7;2023-11-14 22:13:20.000250/7"
    );
    assert_eq!(WindowCursor::parse(&precise.to_string(), true), Some(precise));
    for (bad, timed) in [
        ("12;9", true),
        ("12", false),
        ("x;y", false),
        ("2023-11-14 22:13:20/7;9", true),
    ] {
        assert_eq!(WindowCursor::parse(bad, timed), None, "{bad}");
    }
}

proptest! {
    /// Every row that commits within the overlap of its mark is reported, with any pattern of calls, restarts and page sizes.
    #[test]
    fn nothing_that_commits_within_the_overlap_is_missed(
        rows in prop::collection::vec((100i64..160, 0i64..9, any::<bool>()), 1..60),
        gaps in prop::collection::vec((1i64..8, prop::bool::weighted(0.1)), 20..40),
        limit in 1usize..7,
    ) {
        let table = Table(rows.iter().zip(1..).map(|((second, delay, timed), id)| {
            (at(*second, id), second + if *timed { *delay } else { 0 })
        }).collect());
        let mut window = new(90);
        let mut found = std::collections::BTreeSet::new();
        let mut now = 95;
        for (gap, restart) in gaps {
            now += gap;
            if restart {
                window = OverlapWindow::new(OVERLAP, window.cursor());
            }
            found.extend(call(&mut window, &table, now, limit).into_iter().map(|change| change.order));
        }
        for _ in 0..200 {
            now += 1;
            found.extend(call(&mut window, &table, now, limit).into_iter().map(|change| change.order));
        }
        prop_assert_eq!(found.len(), rows.len());
    }

    /// The same for tables that are read by key, whose rows are not rechecked.
    #[test]
    fn keys_that_show_late_are_reported_exactly_once(
        delays in prop::collection::vec(0i64..9, 1..60),
        limit in 1usize..7,
    ) {
        let table = Table(delays.iter().zip(1..).map(|(delay, id)| (Mark::of_key(id), 100 + id + delay)).collect());
        let mut window = OverlapWindow::new(OVERLAP, WindowCursor::default());
        let mut found = Vec::new();
        for now in 100..400 {
            found.extend(call(&mut window, &table, now, limit).into_iter().map(|change| change.order));
        }
        found.sort_unstable();
        prop_assert_eq!(found, (1..=i64::try_from(delays.len()).unwrap()).collect::<Vec<_>>());
    }
}
