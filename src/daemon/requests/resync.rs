//! The request `saas:resync`: reindexes, then retries every event that is pending or parked.

use std::time::Duration;

use crate::daemon::control::resync::ResyncOptions;
use crate::daemon::control::selection::Selection;
use crate::daemon::control::{BlockedWebsite, Outcome, Progress, Reply, Resynced};
use crate::daemon::requests::error::{RequestError, refused};
use crate::daemon::requests::progress::Reporter;
use crate::daemon::requests::store::StoreRequests;
use crate::daemon::schedule::jobs::Jobs;
use crate::indexer::intake::blocked_websites;
use crate::indexer::intake::blocked_websites::{Deliverability, WebsitePending};
use crate::indexer::{BackfillKind, BackfillOptions, IndexError, Indexed, OrdersById, Reach};
use crate::store::{Durability, Topic};
use orderfeed_model::order::OrderId;

/// Longest pause between two reads of the backlog: delivery does not announce every answer.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Runs a resync with validated options.
pub(crate) async fn resync(
    jobs: &Jobs,
    requests: &StoreRequests,
    options: &ResyncOptions,
    reporter: Reporter,
) -> anyhow::Result<Resynced> {
    let started = jobs.clock.now();
    if let Some(code) = &options.website {
        let config = jobs.config.borrow();
        // A misspelt code must not look like a website without orders.
        if !config.websites.contains_key(code) {
            return Err(RequestError::unknown_website(code, config.websites.keys()).into());
        }
    }
    let stops = requests.resync_stops();
    let is_stopped = || requests.resync_stops() != stops;
    if options.cleanup_feed {
        let stop = || jobs.stop.is_cancelled() || is_stopped();
        let forgotten = jobs.indexer.forget_feed(stop).await;
        forgotten.map_err(|error| ended(error, is_stopped()))?;
    }
    let mut result = Resynced::default();
    if !options.no_reindex || options.force {
        let indexed = index(jobs, options, &is_stopped, reporter.clone()).await?;
        result.orders = indexed.orders;
        result.events = indexed.events;
        result.failures = indexed.failed;
        result.again = indexed.resent;
    }
    if !options.dry_run {
        // An operator who names orders, a range or delivered events does not mean every parked event of the shop.
        let everything = options.by_ids.is_empty() && !options.is_limited() && !options.force;
        if everything && let Outcome::Parked { events, .. } = requests.retry(&Selection::default()).await? {
            result.events += events;
        }
        let store = jobs.store();
        store
            // Batches that wait for their retry are due at once.
            .write(Durability::Durable, |writer| writer.retry_now())
            .await?;
    }
    if options.wait {
        result.blocked = wait_until_sent(jobs, &reporter).await?;
    }
    result.duration_ms = u64::try_from(jobs.clock.now().millis_since(started)).unwrap_or_default();
    Ok(result)
}

/// Returns the counts of a backfill, a preview or single orders.
async fn index(
    jobs: &Jobs,
    options: &ResyncOptions,
    is_stopped: &(impl Fn() -> bool + Sync),
    reporter: Reporter,
) -> anyhow::Result<Indexed> {
    let indexer = &jobs.indexer;
    let is_ranged = options.from.is_some() || options.to.is_some();
    // `first_sync.history` does not apply to orders that an operator names.
    let reach = match is_ranged || !options.by_ids.is_empty() {
        true => Reach::Everything,
        false => Reach::History,
    };
    let backfill = BackfillOptions {
        created_from: options.from,
        created_before: options.to,
        website: options.website.clone(),
        reach,
        resend: options.force,
        batch_size: options.batch_size,
        read_ahead: options.thread_count,
    };
    let stop = || jobs.stop.is_cancelled() || is_stopped();
    let orders = match options.by_ids.is_empty() {
        true => None,
        false => Some(find(jobs, &options.by_ids).await?),
    };
    if options.dry_run {
        let orders = orders.map(|(found, _)| found);
        let preview = indexer.preview(&backfill, orders, stop, reporter.of_backfill());
        return preview.await.map_err(refused);
    }
    if let Some((found, unknown)) = orders {
        let by_id = OrdersById {
            ids: found,
            resend: options.force,
        };
        let mut indexed = indexer.index_orders(by_id).await.map_err(refused)?;
        indexed.failed += unknown;
        return Ok(indexed);
    }
    if !options.continue_resync {
        indexer
            // A new resync replaces an interrupted one.
            .cancel_backfills(BackfillKind::Resync)
            .await
            .map_err(refused)?;
    }
    let report = indexer
        .resync(backfill, stop, reporter.of_backfill())
        .await
        .map_err(|error| ended(error, is_stopped()))?;
    Ok(report.indexed)
}

/// Returns the error of a resync that an operator may have stopped.
fn ended(error: IndexError, is_stopped: bool) -> anyhow::Error {
    match error {
        IndexError::Stopped if is_stopped => RequestError::ResyncStopped.into(),
        other => refused(other),
    }
}

/// Returns the entity ids of the named orders, and the number of names without an order. A name is an order number, or
/// if no order has that number, an entity id.
pub(crate) async fn find(jobs: &Jobs, names: &[String]) -> anyhow::Result<(Vec<OrderId>, u64)> {
    let (mut found, mut unknown) = (Vec::new(), 0);
    for name in names {
        let by_number = jobs.indexer.source().find_by_number(name.trim()).await?;
        match (by_number.is_empty(), entity_id(name)) {
            (false, _) => found.extend(by_number),
            (true, Some(id)) if !jobs.indexer.source().read_orders(&[id]).await?.is_empty() => found.push(id),
            (true, _) => unknown += 1,
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok((found, unknown))
}

/// Parses an entity id. Text with leading zeros is an order number: if no order has it, the order with that id must not
/// be taken instead.
pub(crate) fn entity_id(name: &str) -> Option<OrderId> {
    let id: OrderId = name.trim().parse().ok()?;
    (id.to_string() == name.trim()).then_some(id)
}

/// Waits until every event that can be delivered is delivered; returns the websites with other events.
async fn wait_until_sent(jobs: &Jobs, reporter: &Reporter) -> anyhow::Result<Vec<BlockedWebsite>> {
    let store = jobs.store();
    let mut outbox = store.subscribe(Topic::Outbox);
    let mut total = 0;
    loop {
        outbox.borrow_and_update();
        let config = jobs.config.borrow().clone();
        let websites = store.read(move |reader| blocked_websites::pending_by_website(reader, &config));
        let websites = websites.await?;
        let deliverable = |website: &&WebsitePending| website.deliverability == Deliverability::Deliverable;
        let open = websites.iter().filter(deliverable);
        let pending: u64 = open.map(|website| website.events).sum();
        // Changes and backfills may add events during the wait.
        total = total.max(pending);
        let sent = total - pending;
        reporter.send(Reply::Progress(Progress {
            done: sent,
            total,
            events: sent,
        }));
        if pending == 0 || jobs.stop.is_cancelled() || reporter.is_closed() {
            return Ok(websites.into_iter().filter_map(blocked).collect());
        }
        let _ = tokio::time::timeout(POLL_INTERVAL, outbox.changed()).await;
    }
}

fn blocked(website: WebsitePending) -> Option<BlockedWebsite> {
    let reason = match website.deliverability {
        Deliverability::Deliverable => return None,
        Deliverability::Blocked(reason) => reason,
        Deliverability::NoDatastream => "it has no datastream; configure the website again".to_owned(),
    };
    (website.events > 0).then_some(BlockedWebsite {
        website: website.code,
        events: website.events,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_number_with_leading_zeros_is_no_entity_id() {
        assert_eq!(entity_id(" 101 "), Some(101));
        for number in ["000000101", "+101", "B2-101", ""] {
            assert_eq!(entity_id(number), None, "{number}");
        }
    }
}
