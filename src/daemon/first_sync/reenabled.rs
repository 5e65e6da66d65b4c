//! Websites whose events are enabled again after they were switched off or not configured.
//!
//! Meanwhile their changed orders were indexed without events, and the view is past those changes. The feed's hash of an
//! order covers its website, so a full reindex derives events for exactly those orders and repeats none.

use crate::daemon::schedule::jobs::Jobs;
use crate::indexer::BackfillKind;
use crate::store::first_sync::FirstSyncRow;
use crate::store::meta::WebsiteId;
use crate::store::views::IndexerStatus;
use crate::store::{Durability, StoreError, Writer};

/// Key in `meta` of the websites whose events were on at the last check: their codes, joined by commas.
const EXPORTING: &str = "exporting_websites";

/// Invalidates the index if a website's events are enabled again, and stores the websites whose events are on.
pub(crate) async fn reindex_reenabled(jobs: &Jobs) -> Result<(), StoreError> {
    let config = jobs.config.borrow().clone();
    let exporting = config
        .websites
        .keys()
        .filter(|code| config.sending_website(code).is_some());
    let now_on: Vec<String> = exporting.cloned().collect();
    let at = jobs.clock.now();
    let compare = move |w: &mut Writer<'_>| {
        let Some(reenabled) = reenabled(w, &now_on)? else {
            return Ok(Vec::new());
        };
        w.set_meta(EXPORTING, &now_on.join(","))?;
        // A reindex that is running or interrupted has passed some of the orders while the website was off, so the next one
        // must start over.
        if !reenabled.is_empty() {
            let status = w.reader().indexer_state()?.map(|state| state.status);
            w.cancel_backfills(BackfillKind::Reindex, at)?;
            // An operator's suspension stays.
            if status != Some(IndexerStatus::Suspended) {
                w.set_indexer_status(IndexerStatus::Invalid, at)?;
            }
        }
        Ok(reenabled)
    };
    for website in jobs.store().write(Durability::Durable, compare).await? {
        tracing::info!(
            website,
            "Back-office events are enabled again: a full reindex finds the orders that changed meanwhile",
        );
    }
    Ok(())
}

/// Returns those of `now_on` that were off and have had a first sync; `None` if the websites are the same as before.
fn reenabled(w: &Writer<'_>, now_on: &[String]) -> Result<Option<Vec<String>>, StoreError> {
    let reader = w.reader();
    let before = reader.meta(EXPORTING)?;
    if before.as_deref() == Some(&now_on.join(",")) {
        return Ok(None);
    }
    let Some(before) = before else {
        return Ok(Some(Vec::new()));
    };
    let (codes, rows) = (reader.websites()?, reader.first_syncs()?);
    let synced = |code: &str| has_row(code, &codes, &rows);
    let is_new = |code: &&String| !before.split(',').any(|on| on == *code) && synced(code);
    Ok(Some(now_on.iter().filter(is_new).cloned().collect()))
}

/// Returns true if the website with this code has had a first sync.
pub(super) fn has_row(code: &str, codes: &[(WebsiteId, String)], rows: &[FirstSyncRow]) -> bool {
    let id = codes.iter().find(|(_, known)| known == code);
    id.is_some_and(|(id, _)| rows.iter().any(|row| row.website == *id))
}
