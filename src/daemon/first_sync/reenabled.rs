//! Websites that export again after they were off, or not configured.
//!
//! What changed meanwhile was indexed without events, and the view has passed it. The routes are in the feed's hashes, so
//! a full reindex looks at exactly those orders, and repeats nothing.

use crate::daemon::schedule::jobs::Jobs;
use crate::indexer::BackfillKind;
use crate::store::views::IndexerStatus;
use crate::store::{Durability, StoreError, Writer};

/// `meta`: the codes of the websites that exported when this was last looked at, joined by commas.
const EXPORTING: &str = "exporting_websites";

/// Asks for a full reindex if a website came back, and remembers which ones export now.
///
/// # Errors
/// If the store fails.
pub(crate) async fn welcome_back(jobs: &Jobs) -> Result<(), StoreError> {
    let config = jobs.config.borrow().clone();
    let exporting = config
        .websites
        .keys()
        .filter(|code| config.sending_website(code).is_some());
    let now_on: Vec<String> = exporting.cloned().collect();
    let at = jobs.clock.now();
    let compare = move |w: &mut Writer<'_>| {
        let Some(back) = came_back(w, &now_on)? else {
            return Ok(Vec::new());
        };
        w.set_meta(EXPORTING, &now_on.join(","))?;
        // A reindex that is under way, or was interrupted, met some of the orders while the website was off: it is not the
        // last one, and the next one begins anew.
        let status = w.reader().indexer_state()?.map(|state| state.status);
        if !back.is_empty() {
            w.cancel_backfills(BackfillKind::Reindex.as_str(), at)?;
        }
        if !back.is_empty() && status != Some(IndexerStatus::Suspended) {
            w.set_indexer_status(IndexerStatus::Invalid, at)?;
        }
        Ok(back)
    };
    for website in jobs.indexer.store().write(Durability::Durable, compare).await? {
        tracing::info!(
            website,
            "Back-office events are enabled again: a full reindex finds the orders that changed meanwhile",
        );
    }
    Ok(())
}

/// Those of `now_on` that were off and have had a first sync; `None` if nothing differs from before.
fn came_back(w: &Writer<'_>, now_on: &[String]) -> Result<Option<Vec<String>>, StoreError> {
    let reader = w.reader();
    let before = reader.meta(EXPORTING)?;
    if before.as_deref() == Some(&now_on.join(",")) {
        return Ok(None);
    }
    let Some(before) = before else {
        return Ok(Some(Vec::new()));
    };
    let (codes, rows) = (reader.websites()?, reader.first_syncs()?);
    let synced = |code: &String| {
        let known = codes.iter().find(|(_, known)| known == code);
        known.is_some_and(|(id, _)| rows.iter().any(|row| row.website == *id))
    };
    let is_new = |code: &&String| !before.split(',').any(|on| on == *code) && synced(code);
    Ok(Some(now_on.iter().filter(is_new).cloned().collect()))
}
