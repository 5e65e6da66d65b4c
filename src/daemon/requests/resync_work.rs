//! `saas:resync`: reindexes, then everything that is new, changed or failed is on its way.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::daemon::control::{Progress, Resynced, StandingStill};
use crate::daemon::requests::backfill_reply::{refused, report_to};
use crate::daemon::requests::resync::ResyncOptions;
use crate::daemon::schedule::jobs::Jobs;
use crate::indexer::intake::blocked_websites;
use crate::indexer::intake::blocked_websites::{Deliverability, WebsitePending};
use crate::indexer::{BackfillKind, BackfillOptions, Indexed, OrdersById, Reach};
use crate::store::outbox::ParkedFilter;
use crate::store::{Durability, Reader, Store, Topic, Writer};
use orderfeed_model::order::OrderId;

/// Rows changed in one transaction.
const AT_ONCE: usize = 500;
/// Delivery does not announce every answer; a wait looks again this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Does what the options say; they were validated.
pub(crate) async fn resync(
    jobs: &Jobs,
    options: &ResyncOptions,
    progress: mpsc::Sender<Progress>,
) -> anyhow::Result<Resynced> {
    let started = jobs.clock.now();
    let store = jobs.indexer.store();
    if options.cleanup_feed {
        let stop = || jobs.stop.is_cancelled();
        jobs.indexer.forget_feed(stop).await.map_err(refused)?;
    }
    let mut result = Resynced::default();
    if !options.no_reindex || options.force {
        let (indexed, again) = index(jobs, options, progress.clone()).await?;
        result.orders = indexed.orders;
        result.events = indexed.events;
        result.failures = indexed.failed;
        result.again = again;
    }
    if !options.dry_run {
        result.events += retry_parked(jobs, options).await?;
        store
            .write(Durability::Durable, |writer| writer.retry_now())
            .await?;
    }
    if options.wait {
        result.standing_still = wait_until_sent(store, &progress, jobs).await?;
    }
    result.duration_ms = u64::try_from(jobs.clock.now().millis_since(started)).unwrap_or_default();
    Ok(result)
}

async fn index(
    jobs: &Jobs,
    options: &ResyncOptions,
    progress: mpsc::Sender<Progress>,
) -> anyhow::Result<(Indexed, u64)> {
    let indexer = &jobs.indexer;
    let ranged = options.from.is_some() || options.to.is_some();
    // What is named by range or by order is meant, however old it is.
    let reach = match ranged || !options.by_ids.is_empty() {
        true => Reach::Everything,
        false => Reach::History,
    };
    let backfill = BackfillOptions {
        created_from: options.from,
        created_before: options.to,
        website: None,
        reach,
        resend: options.force,
        batch_size: options.batch_size,
        read_ahead: options.thread_count,
    };
    let stop = || jobs.stop.is_cancelled();
    let orders = if options.by_ids.is_empty() {
        None
    } else {
        Some(find(jobs, &options.by_ids).await?)
    };
    if options.dry_run {
        let preview = indexer
            .preview(
                &backfill,
                orders.map(|(found, _)| found),
                stop,
                report_to(progress),
            )
            .await;
        return preview.map_err(refused);
    }
    if let Some((found, unknown)) = orders {
        let by_id = OrdersById {
            orders: found,
            resend: options.force,
        };
        let mut indexed = indexer.index_orders(by_id).await.map_err(refused)?;
        indexed.failed += unknown;
        return Ok((indexed, indexed.resent));
    }
    if !options.continue_resync {
        indexer
            .cancel_backfills(BackfillKind::Resync)
            .await
            .map_err(refused)?;
    }
    let report = indexer
        .resync(backfill, stop, report_to(progress))
        .await
        .map_err(refused)?;
    Ok((report.indexed, report.indexed.resent))
}

/// The entity ids behind what was named: order numbers first, because that is what people see; then entity ids.
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

/// The entity id that a name may be. Zeros before it make it an order number: one that does not exist must not stand for
/// the order with that id.
pub(crate) fn entity_id(name: &str) -> Option<OrderId> {
    let id: OrderId = name.trim().parse().ok()?;
    (id.to_string() == name.trim()).then_some(id)
}

/// What failed and needed a decision is tried once more: that is the decision.
async fn retry_parked(jobs: &Jobs, options: &ResyncOptions) -> anyhow::Result<u64> {
    // Who names orders, a range, or what was delivered does not mean the dead letters of the whole shop.
    let everything =
        options.by_ids.is_empty() && options.from.is_none() && options.to.is_none() && !options.force;
    if !everything {
        return Ok(0);
    }
    let store = jobs.indexer.store();
    let limits = crate::indexer::batch_limits(&jobs.config.borrow());
    let mut total = 0;
    let began = jobs.clock.now();
    loop {
        let page = store
            .read(|reader: &Reader<'_>| reader.parked(&ParkedFilter::default(), AT_ONCE))
            .await?;
        // Oldest first: what is parked again meanwhile comes last and ends it. What was parked later than that, the clock was
        // set back since.
        let later = jobs.clock.now();
        let keys: Vec<_> = page
            .iter()
            .filter(|parked| parked.parked_at < began || parked.parked_at > later)
            .map(|parked| parked.key)
            .collect();
        if keys.is_empty() {
            return Ok(total);
        }
        let at = jobs.clock.now();
        let retry = move |writer: &mut Writer<'_>| {
            let mut retried = 0;
            for key in keys {
                retried += u64::from(writer.retry_parked(key, limits, at)?);
            }
            Ok(retried)
        };
        let retried = store.write(Durability::Durable, retry).await?;
        total += retried;
        if retried == 0 {
            return Ok(total);
        }
    }
}

/// Waits until nothing is left that leaves by itself. What is left then, and why.
async fn wait_until_sent(
    store: &Store,
    progress: &mpsc::Sender<Progress>,
    jobs: &Jobs,
) -> anyhow::Result<Vec<StandingStill>> {
    let mut outbox = store.subscribe(Topic::Outbox);
    let mut total = 0;
    loop {
        outbox.borrow_and_update();
        let config = jobs.config.borrow().clone();
        let websites = store
            .read(move |reader: &Reader<'_>| blocked_websites::pending_by_website(reader, &config))
            .await?;
        let leaves = |website: &&WebsitePending| website.deliverability == Deliverability::Deliverable;
        let pending: u64 = websites.iter().filter(leaves).map(|website| website.events).sum();
        total = total.max(pending);
        let _ = progress.try_send(Progress {
            done: total - pending,
            total,
            events: total - pending,
        });
        if pending == 0 || jobs.stop.is_cancelled() || progress.is_closed() {
            return Ok(websites.into_iter().filter_map(standing_still).collect());
        }
        let _ = tokio::time::timeout(LOOK_AGAIN, outbox.changed()).await;
    }
}

fn standing_still(pending: WebsitePending) -> Option<StandingStill> {
    let reason = match pending.deliverability {
        Deliverability::Deliverable => return None,
        Deliverability::Blocked(reason) => reason,
        Deliverability::NoDatastream => "it has no datastream; configure the website again".to_owned(),
    };
    (pending.events > 0).then_some(StandingStill {
        website: pending.website,
        events: pending.events,
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
