//! `/indexers`: Commerce's Index Management, with its columns, statuses and words.

use askama::Template;

use crate::ops::sentence::{count, human_duration};
use crate::ops::status::{BackfillStatus, Snapshot};
use crate::store::backfill::BackfillKind;
use crate::store::views::{IndexerStatus, TITLE, VIEW_ID, ViewMode, ViewStatus};
use crate::web::parts::{Bar, Stamp};
use crate::web::{Frame, rendered};

/// Commerce's description of the indexer.
const DESCRIPTION: &str = "Sales Orders Feed";

#[derive(Template)]
#[template(path = "indexers.html")]
struct IndexersTemplate<'a> {
    frame: &'a Frame,
    snapshot: &'a Snapshot,
    id: &'static str,
    title: &'static str,
    description: &'static str,
    actions: Vec<Action>,
}

/// One button with its form.
struct Action {
    name: &'static str,
    /// `schedule` or `realtime` for the change of the mode; empty for the others.
    mode: &'static str,
    label: &'static str,
    command: &'static str,
}

/// Renders the page.
pub fn indexers_page(frame: &Frame, snapshot: &Snapshot) -> String {
    rendered(IndexersTemplate {
        frame,
        snapshot,
        id: VIEW_ID,
        title: TITLE,
        description: DESCRIPTION,
        actions: actions(snapshot),
    })
}

fn actions(snapshot: &Snapshot) -> Vec<Action> {
    let action = |name, mode, label, command| Action {
        name,
        mode,
        label,
        command,
    };
    let index = &snapshot.index;
    let mode = match index.mode {
        ViewMode::Realtime => action(
            "index-mode",
            "schedule",
            "Update by Schedule",
            "orderfeed indexer:set-mode schedule",
        ),
        ViewMode::Schedule => action(
            "index-mode",
            "realtime",
            "Update on Save",
            "orderfeed indexer:set-mode realtime",
        ),
    };
    let suspended = index.status == IndexerStatus::Suspended || index.view_status == ViewStatus::Suspended;
    let pause = match suspended {
        true => action("index-resume", "", "Resume", "orderfeed indexer:set-status valid"),
        false => action(
            "index-suspend",
            "",
            "Suspend",
            "orderfeed indexer:set-status suspended",
        ),
    };
    vec![
        mode,
        action(
            "index-invalidate",
            "",
            "Invalidate index",
            "orderfeed indexer:reset",
        ),
        action("index-reindex", "", "Reindex", "orderfeed indexer:reindex"),
        pause,
    ]
}

impl IndexersTemplate<'_> {
    fn orders(&self, number: &u64) -> String {
        count(*number, "order")
    }

    fn mode(&self) -> &'static str {
        match self.snapshot.index.mode {
            ViewMode::Realtime => "Update on Save",
            ViewMode::Schedule => "Update by Schedule",
        }
    }

    fn schedule_status(&self) -> String {
        let index = &self.snapshot.index;
        match index.mode {
            // Without a schedule the column is empty, as in Commerce.
            ViewMode::Realtime => String::new(),
            ViewMode::Schedule => {
                format!("{} ({} in backlog)", index.view_status.as_str(), index.backlog)
            }
        }
    }

    fn status(&self) -> &'static str {
        match self.snapshot.index.status {
            IndexerStatus::Valid => "Ready",
            IndexerStatus::Invalid => "Reindex Required",
            IndexerStatus::Working => "Processing",
            IndexerStatus::Suspended => "Suspended",
        }
    }

    fn tone(&self) -> &'static str {
        match self.snapshot.index.status {
            IndexerStatus::Valid => "good",
            IndexerStatus::Invalid => "bad",
            IndexerStatus::Working | IndexerStatus::Suspended => "warn",
        }
    }

    fn updated(&self) -> Option<Stamp> {
        self.snapshot.index.view_updated.map(|at| Stamp::second(at.0))
    }

    fn oldest(&self) -> Option<Stamp> {
        let now = self.snapshot.taken_at.0;
        let oldest = self.snapshot.index.oldest_change_at;
        oldest.map(|at| Stamp::age(at.0, now))
    }

    fn bar(&self, backfill: &BackfillStatus) -> Bar {
        Bar(match backfill.total {
            0 => 0.0,
            total => backfill.done.min(total) as f64 / total as f64,
        })
    }

    fn name(&self, backfill: &BackfillStatus) -> &'static str {
        match backfill.kind {
            BackfillKind::FirstSync => "First sync",
            BackfillKind::Reindex => "Reindex",
            BackfillKind::Resync => "Resync",
        }
    }

    fn left(&self, backfill: &BackfillStatus) -> String {
        let left = backfill.remaining_ms.map(human_duration);
        left.map_or_else(
            || "time left is not known yet".to_owned(),
            |left| format!("about {left} left"),
        )
    }

    fn began(&self, backfill: &BackfillStatus) -> Stamp {
        Stamp::age(backfill.started_at.0, self.snapshot.taken_at.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::status::testing::{backfill, snapshot};
    use crate::web::testing::{HOSTILE, frame, operator};

    #[test]
    fn the_grid_has_the_columns_and_words_of_commerce() {
        let page = indexers_page(&frame("/indexers"), &snapshot());
        for column in [
            "Indexer",
            "Description",
            "Mode",
            "Schedule Status",
            "Status",
            "Updated",
        ] {
            assert!(
                page.contains(&format!("<th scope=\"col\">{column}</th>")),
                "{column}"
            );
        }
        insta::assert_snapshot!(page);
    }

    #[test]
    fn a_reindex_shows_its_progress_and_a_suspension_its_author() {
        let mut busy = snapshot();
        busy.index.status = IndexerStatus::Suspended;
        busy.index.backlog = 7;
        busy.index_suspended_by = Some(HOSTILE.to_owned());
        busy.backfills = vec![backfill()];
        let page = indexers_page(&operator("/indexers"), &busy);
        assert!(!page.contains(HOSTILE));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn the_mode_that_is_not_in_force_is_offered() {
        let mut on_save = snapshot();
        on_save.index.mode = ViewMode::Realtime;
        let labels = |snapshot: &Snapshot| -> Vec<&str> {
            actions(snapshot).iter().map(|action| action.label).collect()
        };
        assert_eq!(
            labels(&on_save),
            ["Update by Schedule", "Invalidate index", "Reindex", "Suspend"]
        );
        assert_eq!(labels(&snapshot())[0], "Update on Save");
    }
}
