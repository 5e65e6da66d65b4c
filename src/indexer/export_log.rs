//! Log lines with the fields of Commerce's own export log (`var/log/saas-export.log`), so that rules written for that log
//! keep working: `feed`, `operation`, `status` and `elapsed`.
//! <https://experienceleague.adobe.com/en/docs/commerce/saas-data-export/troubleshooting/logging>
//!
//! A backfill logs `Initialize`, `Progress i/n, processed P, synced S` and `Complete`; i and n count batches, P the orders
//! read, S those that were new or had changed.

use std::sync::{Mutex, PoisonError};

use super::report::{BackfillReport, Indexed, Progress, ViewUpdate};
use crate::indexer::backfill::options::BackfillKind;
use crate::indexer::progress_log::ProgressLog;
use crate::store::backfill::Backfill;
use orderfeed_model::clock::UtcMillis;

// Commerce's names of the feed and its operations.
const FEED: &str = "orders";
const FULL: &str = "full sync";
const PARTIAL: &str = "partial reindex";
const RETRY: &str = "retry failed items";

fn progress(batch: u64, batches: u64, processed: u64, synced: u64) -> String {
    format!("Progress {batch}/{batches}, processed {processed}, synced {synced}")
}

fn elapsed(millis: i64) -> String {
    format!("{} ms", millis.max(0))
}

/// Adds an update to the sum, and logs the sum if a line is due. Called with an empty update too, so that the last changes
/// of a busy minute get their line.
pub(super) fn log_changes(log: &Mutex<ProgressLog>, update: ViewUpdate, now: UtcMillis) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.add(update);
    let Some(sum) = log.take(now) else {
        return;
    };
    // Not held while the line is written.
    drop(log);
    tracing::info!(
        feed = FEED,
        operation = PARTIAL,
        status = progress(sum.batches, sum.batches, sum.indexed.orders, sum.indexed.changed),
        elapsed = elapsed(sum.took_ms),
        orders = sum.indexed.orders,
        changed = sum.indexed.changed,
        events = sum.indexed.events,
        "Changed orders were indexed",
    );
}

pub(super) fn log_retried(done: Indexed, took_ms: i64) {
    tracing::info!(
        feed = FEED,
        operation = RETRY,
        status = progress(1, 1, done.orders, done.changed),
        elapsed = elapsed(took_ms),
        orders = done.orders,
        failed = done.failed,
        events = done.events,
        "Orders that could not be indexed were retried",
    );
}

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
            "A backfill resumes where it stopped"
        } else {
            "A backfill starts"
        },
    );
}

/// Logs the progress of a backfill with batches of `size` orders; `indexed` counts this run of it.
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
        "The backfill continues",
    );
}

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
            BackfillKind::Reindex => "The index is rebuilt; from now on only changes are indexed",
            BackfillKind::FirstSync | BackfillKind::Resync => "The backfill is complete",
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_elapsed_have_the_form_that_rules_for_commerce_expect() {
        assert_eq!(progress(1, 5, 100, 7), "Progress 1/5, processed 100, synced 7");
        assert_eq!(elapsed(919), "919 ms");
        assert_eq!(elapsed(-4), "0 ms");
    }
}
