//! `verify`: the source against feed and outbox, because somebody asked.

use tokio::sync::mpsc;

use crate::commerce::source::OrderFilter;
use crate::daemon::control::Progress;
use crate::daemon::requests::backfill_reply::{refused, report_to};
use crate::daemon::requests::resync_work::{entity_id, find};
use crate::daemon::requests::verify::VerifyOptions;
use crate::daemon::schedule::jobs::Jobs;
use crate::indexer::{Repair, VerifyReport, VerifyTask};
use crate::store::Reader;
use orderfeed_model::order::OrderId;

/// Does what the options say; they were validated. Ends early if nobody waits for the answer any more.
pub(crate) async fn verify(
    jobs: &Jobs,
    options: &VerifyOptions,
    progress: mpsc::Sender<Progress>,
) -> anyhow::Result<VerifyReport> {
    let (only, unknown) = match options.by_ids.is_empty() {
        true => (None, Vec::new()),
        false => {
            let (found, unknown) = named(jobs, &options.by_ids).await?;
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
        only,
        repair: match options.repair {
            true => Repair::Yes,
            false => Repair::No,
        },
        listed: options.listed as usize,
        ..VerifyTask::default()
    };
    let gone = progress.clone();
    let stop = || jobs.stop.is_cancelled() || gone.is_closed();
    let mut report = jobs
        .indexer
        .verify(task, stop, report_to(progress))
        .await
        .map_err(refused)?;
    report.unknown = unknown;
    Ok(report)
}

/// The entity ids behind what was named, and what means nothing. An order that is gone from the source is still known
/// to the feed.
async fn named(jobs: &Jobs, names: &[String]) -> anyhow::Result<(Vec<OrderId>, Vec<String>)> {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        let (of_source, _) = find(jobs, std::slice::from_ref(name)).await?;
        let (number, before) = (name.trim().to_owned(), found.len());
        found.extend(of_source);
        let known = jobs.indexer.store().read(move |reader: &Reader<'_>| {
            let mut orders = reader.orders_by_number(&number)?;
            if let (true, Some(id)) = (orders.is_empty(), entity_id(&number)) {
                orders.extend(reader.feed_row(id)?.map(|_| id));
            }
            Ok(orders)
        });
        found.extend(known.await?);
        if found.len() == before {
            unknown.push(name.clone());
        }
    }
    // As verification goes: newest first.
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.dedup();
    Ok((found, unknown))
}
