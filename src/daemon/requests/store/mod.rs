//! The requests that need only the store: the index's mode and status, parked events, paused deliveries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::config::Config;
use crate::daemon::control::selection::{Selection, SelectionFilter};
use crate::daemon::control::{Outcome, Status};
use crate::daemon::requests::error::RequestError;
use crate::indexer::{BackfillKind, batch_limits, cancel_reindexes};
use crate::store::meta::{INDEX_SUSPENDED_BY, WebsiteId};
use crate::store::outbox::{BatchLimits, EventKey, ParkedEvent, ParkedFilter, SenderRow, SenderState};
use crate::store::views::{IndexerStatus, ViewMode, ViewStatus};
use crate::store::{Durability, Store, StoreError, Writer};
use orderfeed_model::clock::{Clock, UtcMillis};

/// Parked events changed in one transaction, so that senders do not wait long for the writer.
const CHUNK: usize = 500;

pub(crate) struct StoreRequests {
    store: Store,
    clock: Clock,
    config: watch::Receiver<Arc<Config>>,
    /// Number of requests to stop the resync that runs.
    resync_stops: AtomicU64,
}

#[derive(Clone)]
enum Decision {
    Retry(BatchLimits),
    Discard(String),
}

impl StoreRequests {
    pub(crate) fn new(store: Store, clock: Clock, config: watch::Receiver<Arc<Config>>) -> Self {
        Self {
            store,
            clock,
            config,
            resync_stops: AtomicU64::new(0),
        }
    }

    pub(crate) async fn retry(&self, selection: &Selection) -> anyhow::Result<Outcome> {
        let limits = batch_limits(&self.config.borrow());
        self.decide(selection, Decision::Retry(limits)).await
    }

    pub(crate) async fn discard(&self, selection: &Selection, reason: &str) -> anyhow::Result<Outcome> {
        self.decide(selection, Decision::Discard(reason.to_owned())).await
    }

    /// Stops the resync that runs, and cancels one that was interrupted. Events in the outbox are still sent.
    pub(crate) async fn stop_resync(&self) -> anyhow::Result<Outcome> {
        // First: a resync that begins after this is a new one.
        self.resync_stops.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now();
        let cancel = move |w: &mut Writer<'_>| {
            let running = w.reader().running_backfills()?;
            w.cancel_backfills(BackfillKind::Resync, now)?;
            Ok(running.into_iter().find(|one| one.kind == BackfillKind::Resync))
        };
        let stopped = self.store.write(Durability::Durable, cancel).await?;
        if let Some(backfill) = &stopped {
            tracing::info!(
                orders = backfill.done,
                events = backfill.events,
                "An operator stopped the resync"
            );
        }
        Ok(Outcome::ResyncStopped {
            was_running: stopped.is_some(),
            orders: stopped.as_ref().map_or(0, |backfill| backfill.done),
            events: stopped.as_ref().map_or(0, |backfill| backfill.events),
        })
    }

    /// Returns the number of requests to stop a resync. If it changed since its start, a resync must end.
    pub(crate) fn resync_stops(&self) -> u64 {
        self.resync_stops.load(Ordering::Relaxed)
    }

    pub(crate) async fn set_mode(&self, to: ViewMode) -> anyhow::Result<Outcome> {
        let now = self.clock.now();
        let set = move |w: &mut Writer<'_>| {
            let before = w.reader().view_state()?;
            // Written only if it changes, because a write wakes the indexer.
            if before.is_some_and(|view| view.mode != to) {
                w.set_view_mode(to, now)?;
            }
            Ok(before)
        };
        let before = self.store.write(Durability::Durable, set).await?;
        let from = before.ok_or(RequestError::NeverStarted)?.mode;
        Ok(Outcome::Mode { from, to })
    }

    pub(crate) async fn reset(&self) -> anyhow::Result<Outcome> {
        self.set_indexer(IndexerStatus::Invalid, None).await?;
        Ok(Outcome::Invalidated)
    }

    /// Sets the status of the index on behalf of the operator `by`.
    pub(crate) async fn set_status(&self, status: Status, by: Option<&str>) -> anyhow::Result<Outcome> {
        let to = match status {
            Status::Invalid => IndexerStatus::Invalid,
            Status::Suspended => IndexerStatus::Suspended,
            Status::Valid => IndexerStatus::Valid,
        };
        let by = by.unwrap_or("an unknown user");
        let from = self.set_indexer(to, Some(by)).await?;
        if from != to {
            tracing::info!(
                by,
                from = from.as_str(),
                to = to.as_str(),
                "An operator set the status of the index"
            );
        }
        Ok(Outcome::Status {
            from: from.as_str().to_owned(),
            to: to.as_str().to_owned(),
        })
    }

    /// Sets the indexer's status and returns the previous one. The view is suspended and resumed with it, because a
    /// suspended index skips both the automatic reindex and the updates by schedule.
    async fn set_indexer(&self, to: IndexerStatus, by: Option<&str>) -> anyhow::Result<IndexerStatus> {
        let now = self.clock.now();
        let suspended_by = by.filter(|_| to == IndexerStatus::Suspended);
        let suspended_by = suspended_by.unwrap_or_default().to_owned();
        let from = self
            .store
            .write(Durability::Durable, move |w| {
                let (indexer, view) = (w.reader().indexer_state()?, w.reader().view_state()?);
                w.set_indexer_status(to, now)?;
                w.set_meta(INDEX_SUSPENDED_BY, &suspended_by)?;
                // A reindex that resumed an interrupted one would leave out the orders that it had passed.
                if to == IndexerStatus::Invalid {
                    cancel_reindexes(w, now)?;
                }
                let suspended = view.is_some_and(|view| view.status == ViewStatus::Suspended);
                if to == IndexerStatus::Suspended {
                    w.set_view_status(ViewStatus::Suspended, now)?;
                } else if suspended {
                    w.set_view_status(ViewStatus::Idle, now)?;
                }
                Ok(indexer)
            })
            .await?;
        Ok(from.ok_or(RequestError::NeverStarted)?.status)
    }

    /// Applies a decision to the selected events that were parked before now.
    async fn decide(&self, selection: &Selection, decision: Decision) -> anyhow::Result<Outcome> {
        let now = self.clock.now();
        if !selection.keys.is_empty() {
            let keys: Vec<EventKey> = selection.keys.iter().map(|key| key.0).collect();
            let events = self.decide_keys(&keys, &decision, now).await?;
            // Named keys that are not parked are reported; a filter cannot miss any.
            let missing = keys.len() as u64 - events;
            return Ok(Outcome::Parked { events, missing });
        }
        let mut events = 0;
        for filter in self.filters(&selection.filter).await? {
            loop {
                let one = filter.clone();
                let page = self.store.read(move |r| r.parked(&one, CHUNK)).await?;
                // An event that is parked again meanwhile is left alone, or this would not end. A time later than the
                // present is from before the clock was set back.
                let later = self.clock.now();
                let keys: Vec<EventKey> = page
                    .iter()
                    .filter(|event| event.parked_at < now || event.parked_at > later)
                    .map(|event| event.key)
                    .collect();
                events += self.decide_keys(&keys, &decision, now).await?;
                if keys.is_empty() || page.len() < CHUNK {
                    break;
                }
            }
        }
        Ok(Outcome::Parked { events, missing: 0 })
    }

    /// Returns the number of `keys` that were parked.
    async fn decide_keys(
        &self,
        keys: &[EventKey],
        decision: &Decision,
        now: UtcMillis,
    ) -> Result<u64, StoreError> {
        let mut events = 0;
        for chunk in keys.chunks(CHUNK) {
            let (chunk, decision) = (chunk.to_vec(), decision.clone());
            let decide = move |w: &mut Writer<'_>| {
                let mut found = 0;
                for key in chunk {
                    found += u64::from(match &decision {
                        Decision::Retry(limits) => w.retry_parked(key, *limits, now)?,
                        Decision::Discard(reason) => w.discard_parked(key, reason, now)?,
                    });
                }
                Ok(found)
            };
            events += self.store.write(Durability::Durable, decide).await?;
        }
        Ok(events)
    }

    /// Counts the parked events of a selection, and returns the first of them. Of named keys only those that are parked count.
    pub(crate) async fn parked(
        &self,
        selection: &Selection,
        sample: usize,
    ) -> anyhow::Result<(u64, Vec<ParkedEvent>)> {
        let keys: Vec<EventKey> = selection.keys.iter().map(|key| key.0).collect();
        let filters = self.filters(&selection.filter).await?;
        let found = self.store.read(move |reader| {
            let (mut count, mut first) = (0, Vec::new());
            for key in &keys {
                let Some(event) = reader.parked_event(*key)? else {
                    continue;
                };
                count += 1;
                if first.len() < sample {
                    first.push(event);
                }
            }
            for filter in filters.iter().filter(|_| keys.is_empty()) {
                count += reader.parked_count(filter)?;
                first.extend(reader.parked(filter, sample - first.len())?);
            }
            Ok((count, first))
        });
        Ok(found.await?)
    }

    /// Returns one filter per order with the selected number, or a single filter if no number is selected.
    async fn filters(&self, selection: &SelectionFilter) -> anyhow::Result<Vec<ParkedFilter>> {
        let website = match &selection.website {
            Some(code) => self.websites(Some(code)).await?.first().map(|(id, _)| *id),
            None => None,
        };
        let filter = ParkedFilter {
            order: None,
            website,
            code: selection.code.clone(),
            kind: selection.kind.map(|kind| kind.0.code()),
            since: selection.since,
            until: selection.until,
        };
        let Some(number) = selection.order.clone() else {
            return Ok(vec![filter]);
        };
        let wanted = number.clone();
        let orders = self.store.read(move |r| r.orders_by_number(&wanted)).await?;
        if orders.is_empty() {
            return Err(RequestError::UnknownOrder { number }.into());
        }
        let of_order = |order| ParkedFilter {
            order: Some(order),
            ..filter.clone()
        };
        Ok(orders.into_iter().map(of_order).collect())
    }

    pub(crate) async fn switch(&self, website: Option<&str>, switch: Switch) -> anyhow::Result<Outcome> {
        let websites = self.websites(website).await?;
        let now = self.clock.now();
        let apply = move |w: &mut Writer<'_>| {
            let senders = w.reader().senders()?;
            let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
            for (website, code) in websites {
                let sender = senders.iter().find(|sender| sender.website == website);
                if switch.changes(sender.map(|sender| sender.state)) {
                    w.set_sender(&switch.sender_row(website, now))?;
                    changed.push(code);
                } else {
                    unchanged.push(code);
                }
            }
            Ok(Outcome::Delivery { changed, unchanged })
        };
        Ok(self.store.write(Durability::Durable, apply).await?)
    }

    /// Returns the website with this code, or all websites.
    async fn websites(&self, code: Option<&str>) -> anyhow::Result<Vec<(WebsiteId, String)>> {
        let all = self.store.read(|r| r.websites()).await?;
        let Some(code) = code else { return Ok(all) };
        let found: Vec<_> = all.iter().filter(|(_, known)| known == code).cloned().collect();
        if found.is_empty() {
            // A misspelt code must not look like a website without events.
            let known = all.iter().map(|(_, code)| code);
            return Err(RequestError::unknown_website(code, known).into());
        }
        Ok(found)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    Pause,
    Resume,
}

impl Switch {
    /// Returns true if the switch changes a sender in this state. Resuming a halted sender means that the operator has
    /// fixed the cause. A backoff that the edge asked for is not an operator's to end.
    fn changes(self, state: Option<SenderState>) -> bool {
        match self {
            Self::Pause => state != Some(SenderState::Paused),
            Self::Resume => matches!(state, Some(SenderState::Paused | SenderState::Halted)),
        }
    }

    fn sender_row(self, website: WebsiteId, now: UtcMillis) -> SenderRow {
        let (state, code, reason) = match self {
            Self::Pause => (SenderState::Paused, "paused", "paused by an operator"),
            Self::Resume => (SenderState::Running, "", ""),
        };
        SenderRow {
            website,
            state,
            code: code.to_owned(),
            reason: reason.to_owned(),
            since: now,
            until: None,
            failures: 0,
        }
    }
}

#[cfg(test)]
mod tests;
