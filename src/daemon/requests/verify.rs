//! The request `verify`: compares the source with feed and outbox.

use crate::commerce::source::OrderFilter;
use crate::daemon::control::verify::VerifyOptions;
use crate::daemon::requests::error::refused;
use crate::daemon::requests::progress::Reporter;
use crate::daemon::requests::resync::{entity_id, find};
use crate::daemon::schedule::jobs::Jobs;
use crate::indexer::{VerifyReport, VerifyTask};
use crate::store::Reader;
use orderfeed_model::order::OrderId;

/// Runs a verification with validated options. Ends early once the client has disconnected.
pub(crate) async fn verify(
    jobs: &Jobs,
    options: &VerifyOptions,
    reporter: Reporter,
) -> anyhow::Result<VerifyReport> {
    let (ids, unknown) = match options.by_ids.is_empty() {
        true => (None, Vec::new()),
        false => {
            let (found, unknown) = find_all(jobs, &options.by_ids).await?;
            (Some(found), unknown)
        }
    };
    let task = VerifyTask {
        filter: OrderFilter {
            created_from: options.from,
            created_before: options.to,
            website: options.website.clone(),
            ..OrderFilter::default()
        },
        ids,
        repair: options.repair,
        list_limit: options.listed as usize,
        ..VerifyTask::default()
    };
    let client = reporter.clone();
    let stop = || jobs.stop.is_cancelled() || client.is_closed();
    let mut report = jobs
        .indexer
        .verify(task, stop, reporter.of_backfill())
        .await
        .map_err(refused)?;
    report.unknown = unknown;
    Ok(report)
}

/// Returns the entity ids of the named orders, newest first as verification reads them, and the names without an order.
async fn find_all(jobs: &Jobs, names: &[String]) -> anyhow::Result<(Vec<OrderId>, Vec<String>)> {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        let (of_source, _) = find(jobs, std::slice::from_ref(name)).await?;
        let (number, before) = (name.trim().to_owned(), found.len());
        found.extend(of_source);
        // The feed still holds orders that were deleted from the source.
        let of_feed = jobs.store().read(move |reader: &Reader<'_>| {
            let mut orders = reader.orders_by_number(&number)?;
            if let (true, Some(id)) = (orders.is_empty(), entity_id(&number)) {
                orders.extend(reader.feed_row(id)?.map(|_| id));
            }
            Ok(orders)
        });
        found.extend(of_feed.await?);
        if found.len() == before {
            unknown.push(name.clone());
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.dedup();
    Ok((found, unknown))
}
