//! What indexing says in the words of Commerce's own export log (`var/log/saas-export.log`), so that rules written for
//! that one go on working: the fields `feed`, `operation`, `status` and `elapsed`.
//! <https://experienceleague.adobe.com/en/docs/commerce/saas-data-export/troubleshooting/logging>
//!
//! A backfill says `Initialize`, `Progress i/n, processed P, synced S` and `Complete`; i and n are batches, P orders looked
//! at, S those that were new or had changed. Changes arrive all the time, so what they add up to is said at most every
//! half minute, which is how often Commerce says how far it is.

use std::sync::{Mutex, PoisonError};

use super::report::{BackfillReport, Indexed, Progress};
use crate::indexer::backfill::options::BackfillKind;
use crate::indexer::update::progress_log::ProgressLog;
use crate::store::backfill::Backfill;
use orderfeed_model::clock::UtcMillis;

/// The feed, by Commerce's name.
const FEED: &str = "orders";
/// Commerce's word for a backfill, whoever asked for it.
const FULL: &str = "full sync";
/// Its word for indexing what changed.
const PARTIAL: &str = "partial reindex";
/// Its word for trying again.
const RETRY: &str = "retry failed items";

/// `status` of work that is under way.
fn progress(batch: u64, batches: u64, processed: u64, synced: u64) -> String {
    format!("Progress {batch}/{batches}, processed {processed}, synced {synced}")
}

/// `elapsed`.
fn elapsed(millis: i64) -> String {
    format!("{} ms", millis.max(0))
}

/// Notes changes that were indexed, and says what has come together once it is time. Nothing new is a time to look, too.
pub(super) fn note_changes(
    progress_log: &Mutex<ProgressLog>,
    done: Indexed,
    batches: u64,
    took_ms: i64,
    now: UtcMillis,
) {
    let mut progress_log = progress_log.lock().unwrap_or_else(PoisonError::into_inner);
    progress_log.add(done, batches, took_ms);
    let Some((done, batches, took_ms)) = progress_log.take(now) else {
        return;
    };
    drop(progress_log);
    tracing::info!(
        feed = FEED,
        operation = PARTIAL,
        status = progress(batches, batches, done.orders, done.changed),
        elapsed = elapsed(took_ms),
        orders = done.orders,
        changed = done.changed,
        events = done.events,
        "Changed orders were indexed",
    );
}

/// Orders that could not be indexed were tried again.
pub(super) fn log_retried(done: Indexed, took_ms: i64) {
    tracing::info!(
        feed = FEED,
        operation = RETRY,
        status = progress(1, 1, done.orders, done.changed),
        elapsed = elapsed(took_ms),
        orders = done.orders,
        failed = done.failed,
        events = done.events,
        "Orders that could not be indexed were tried again",
    );
}

/// A backfill begins, or goes on.
pub(super) fn log_start(kind: BackfillKind, backfill: &Backfill) {
    tracing::info!(
        feed = FEED,
        operation = FULL,
        status = "Initialize",
        elapsed = elapsed(0),
        walk = kind.as_str(),
        orders = backfill.total,
        done = backfill.done,
        "{}",
        if backfill.done > 0 {
            "A walk over the orders goes on where it was"
        } else {
            "A walk over the orders begins"
        },
    );
}

/// How far a backfill is; `size` is how many orders its batches have, `indexed` what this run of it did.
pub(super) fn log_progress(kind: BackfillKind, at: Progress, size: u64, indexed: Indexed) {
    let batches = |orders: u64| orders.div_ceil(size.max(1));
    tracing::info!(
        feed = FEED,
        operation = FULL,
        status = progress(batches(at.done), batches(at.total), at.done, indexed.changed),
        elapsed = elapsed(at.elapsed_ms),
        walk = kind.as_str(),
        events = at.events,
        orders_per_second = at.rate().round(),
        eta_s = at.eta_s(),
        "The walk over the orders goes on",
    );
}

/// A backfill is complete.
pub(super) fn log_complete(kind: BackfillKind, report: &BackfillReport) {
    let done = report.indexed;
    tracing::info!(
        feed = FEED,
        operation = FULL,
        status = "Complete",
        elapsed = elapsed(report.elapsed_ms),
        walk = kind.as_str(),
        orders = done.orders,
        changed = done.changed,
        events = done.events,
        "{}",
        match kind {
            BackfillKind::Reindex => "The index is rebuilt; from now on changes alone are indexed",
            BackfillKind::FirstSync | BackfillKind::Resync => "The walk over the orders is complete",
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use orderfeed_model::clock::UtcMillis;

    #[test]
    fn changes_are_told_at_once_and_then_summed_up_for_half_a_minute() {
        let some = |orders| Indexed {
            orders,
            changed: 1,
            ..Indexed::default()
        };
        let mut progress_log = ProgressLog::default();
        assert_eq!(progress_log.take(UtcMillis(0)), None, "there is nothing to tell");
        progress_log.add(some(3), 1, 7);
        assert_eq!(progress_log.take(UtcMillis(1)), Some((some(3), 1, 7)));
        progress_log.add(some(2), 1, 5);
        progress_log.add(some(2), 2, 5);
        assert_eq!(progress_log.take(UtcMillis(29_999)), None);
        let both = Indexed {
            orders: 4,
            changed: 2,
            ..Indexed::default()
        };
        assert_eq!(progress_log.take(UtcMillis(30_001)), Some((both, 3, 10)));
        progress_log.add(some(1), 1, 1);
        assert!(
            progress_log.take(UtcMillis(0)).is_some(),
            "the clock was set back"
        );
    }

    #[test]
    fn status_and_elapsed_have_the_form_that_rules_for_commerce_know() {
        assert_eq!(progress(1, 5, 100, 7), "Progress 1/5, processed 100, synced 7");
        assert_eq!(elapsed(919), "919 ms");
        assert_eq!(elapsed(-4), "0 ms");
    }
}
