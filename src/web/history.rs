//! `/history`: order history, with a count before the start, the progress, and a stop. Adobe's page has only the start.

use askama::Template;

use crate::ops::sentence::human_duration;
use crate::ops::status::{BackfillStatus, Snapshot};
use crate::store::backfill::BackfillKind;
use crate::web::parts::{Bar, Stamp};
use crate::web::{Frame, rendered};

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryTemplate<'a> {
    frame: &'a Frame,
    snapshot: &'a Snapshot,
    running: Vec<Running>,
    syncs: Vec<SyncRow<'a>>,
    /// True if a resync runs, which the stop ends.
    can_stop: bool,
    today: String,
}

struct Running {
    name: &'static str,
    sizes: String,
    began: Stamp,
    left: String,
    bar: Bar,
}

/// The first sync of a website.
struct SyncRow<'a> {
    website: &'a str,
    state: String,
    tone: &'static str,
    sizes: String,
    began: Stamp,
    ended: Option<Stamp>,
}

/// Renders the page.
pub fn history_page(frame: &Frame, snapshot: &Snapshot) -> String {
    let is_resync = |backfill: &BackfillStatus| backfill.kind == BackfillKind::Resync;
    rendered(HistoryTemplate {
        frame,
        snapshot,
        running: snapshot
            .backfills
            .iter()
            .map(|backfill| running(backfill, snapshot))
            .collect(),
        syncs: syncs(snapshot),
        can_stop: snapshot.backfills.iter().any(is_resync),
        today: snapshot.taken_at.0.sql().chars().take(10).collect(),
    })
}

fn running(backfill: &BackfillStatus, snapshot: &Snapshot) -> Running {
    let share = match backfill.total {
        0 => 0.0,
        total => backfill.done.min(total) as f64 / total as f64,
    };
    let total = match backfill.total {
        0 => String::new(),
        total => format!(" of {total}"),
    };
    let left = backfill.remaining_ms.map(human_duration);
    Running {
        name: match backfill.kind {
            BackfillKind::Resync => "Order history sync",
            BackfillKind::Reindex => "Reindex",
            BackfillKind::FirstSync => "First sync",
        },
        sizes: format!(
            "{}{total} orders read, {} new events queued",
            backfill.done, backfill.events
        ),
        began: Stamp::age(backfill.started_at.0, snapshot.taken_at.0),
        left: left.map_or_else(
            || "time left is not known yet".to_owned(),
            |left| format!("about {left} left"),
        ),
        bar: Bar(share),
    }
}

fn syncs(snapshot: &Snapshot) -> Vec<SyncRow<'_>> {
    let syncs = snapshot.first_syncs.iter();
    syncs
        .map(|sync| SyncRow {
            website: &sync.website,
            state: sync.state.as_str().replace('_', " "),
            tone: match (sync.completed_at.is_some(), sync.missed) {
                (true, false) => "good",
                (_, true) => "warn",
                (false, false) => "",
            },
            sizes: sync.sizes(),
            began: Stamp::second(sync.started_at.0),
            ended: sync.completed_at.map(|at| Stamp::second(at.0)),
        })
        .collect()
}

impl HistoryTemplate<'_> {
    /// Returns the codes that a sync can be limited to.
    fn websites(&self) -> impl Iterator<Item = &str> {
        self.snapshot.websites.iter().map(|website| website.code.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::status::testing::{backfill, first_sync, snapshot, website};
    use crate::web::testing::{HOSTILE, frame, operator};

    #[test]
    fn a_running_sync_has_progress_and_a_stop() {
        let mut busy = snapshot();
        let resync = BackfillStatus {
            kind: BackfillKind::Resync,
            ..backfill()
        };
        busy.backfills = vec![resync];
        busy.first_syncs = vec![first_sync(HOSTILE)];
        busy.websites = vec![website(HOSTILE)];
        let page = history_page(&operator("/history"), &busy);
        assert!(!page.contains(HOSTILE) && page.contains("/actions/history-stop"));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn only_a_resync_can_be_stopped_here() {
        let mut busy = snapshot();
        busy.backfills = vec![backfill()];
        let page = history_page(&operator("/history"), &busy);
        assert!(!page.contains("/actions/history-stop"));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn an_anonymous_viewer_gets_the_progress_only() {
        insta::assert_snapshot!(history_page(&frame("/history"), &snapshot()));
    }
}
