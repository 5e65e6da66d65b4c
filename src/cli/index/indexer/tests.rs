//! Compares the output with Commerce's, byte for byte.

use crate::cli::index::indexer::*;
use crate::ops::status::Moment;
use crate::store::views::ViewStatus;
use orderfeed_model::clock::UtcMillis;

fn index() -> IndexSnapshot {
    IndexSnapshot {
        mode: ViewMode::Schedule,
        status: IndexerStatus::Valid,
        view_status: ViewStatus::Idle,
        view_updated: UtcMillis::parse_rfc3339("2026-11-22T07:00:00Z").map(Moment),
        version: 4_294_967_296,
        head: 4_294_967_296,
        backlog: 0,
        oldest_change_at: None,
    }
}

#[test]
fn info_is_one_padded_line() {
    assert_eq!(
        render_info(),
        "sales_order_data_exporter_v2             Sales Orders Feed\n"
    );
}

#[test]
fn status_is_the_table_of_commerce() {
    insta::assert_snapshot!(render_status(&index(), Paint::Plain));
}

#[test]
fn update_on_save_has_no_schedule() {
    let saved = IndexSnapshot {
        mode: ViewMode::Realtime,
        status: IndexerStatus::Invalid,
        ..index()
    };
    insta::assert_snapshot!(render_status(&saved, Paint::Plain));
}

#[test]
fn a_backlog_is_red_and_none_is_green_on_a_terminal() {
    let waiting = IndexSnapshot {
        backlog: 7,
        ..index()
    };
    assert!(render_status(&waiting, Paint::Colour).contains("\u{1b}[31midle (7 in backlog)"));
    assert!(render_status(&index(), Paint::Colour).contains("\u{1b}[32midle (0 in backlog)"));
}

#[test]
fn mview_shows_mode_version_and_backlog() {
    insta::assert_snapshot!(render_mview(&index(), Paint::Plain));
}

#[test]
fn show_mode_is_padded_to_fifty() {
    let line = render_mode(&index(), Paint::Plain);
    assert_eq!(line, format!("{:<50} Update by Schedule\n", "Sales Orders Feed:"));
}

#[test]
fn changes_are_reported_in_commerces_words() {
    let message = |outcome| render_outcome(&outcome).unwrap();
    let mode = |from, to| message(Outcome::Mode { from, to });
    assert_eq!(
        mode(ViewMode::Realtime, ViewMode::Schedule),
        "Index mode for Indexer Sales Orders Feed was changed from 'Update on Save' to 'Update by Schedule'"
    );
    assert_eq!(
        mode(ViewMode::Schedule, ViewMode::Schedule),
        "Index mode for Indexer Sales Orders Feed has not been changed"
    );
    let rebuilt = Rebuilt {
        duration_ms: 12_345,
        ..Rebuilt::default()
    };
    assert_eq!(
        message(Outcome::Reindexed(rebuilt)),
        "Sales Orders Feed index has been rebuilt successfully in 00:00:12"
    );
    assert_eq!(
        message(Outcome::Invalidated),
        "Sales Orders Feed indexer has been invalidated."
    );
    let status = |from: &str, to: &str| {
        message(Outcome::Status {
            from: from.into(),
            to: to.into(),
        })
    };
    assert_eq!(
        status("valid", "suspended"),
        "Index status for Indexer 'Sales Orders Feed' was changed from 'valid' to 'suspended'."
    );
    assert_eq!(
        status("valid", "valid"),
        "Index status for Indexer 'Sales Orders Feed' has not been changed."
    );
}

#[test]
fn an_unknown_indexer_is_refused_in_commerces_words() {
    let indexers = |ids: &[&str]| IndexerArgs {
        index: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    indexers(&[]).check().unwrap();
    indexers(&["all", VIEW_ID]).check().unwrap();
    let refusal = indexers(&["catalogsearch_fulltext", "x"]).check().unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "The following requested index types are not supported: 'catalogsearch_fulltext', 'x'.\n\
         Supported types: sales_order_data_exporter_v2"
    );
    assert_eq!(Exit::of(&refusal), Exit::Failed);
}
