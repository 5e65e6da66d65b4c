//! The requests that need nothing but the store.

use crate::daemon::control::{Mode, Outcome, Status};
use crate::daemon::requests::selection::Selection;
use crate::daemon::requests::work::RequestError;
use crate::indexer::BackfillKind;
use crate::store::meta::WebsiteId;
use crate::store::outbox::{BatchLimits, EventKey, ParkedFilter, SenderRow, SenderState};
use crate::store::views::{IndexerStatus, ViewMode, ViewStatus};
use crate::store::{Durability, Store, StoreError, Writer};
use orderfeed_model::clock::{Clock, UtcMillis};

/// Dead letters in one transaction, so that the writer stays free for the senders.
const CHUNK: usize = 500;

pub(crate) struct StoreRequests {
    store: Store,
    clock: Clock,
    limits: BatchLimits,
}

/// What happens to a dead letter.
#[derive(Clone)]
enum Fate {
    Retry(BatchLimits),
    Discard(String),
}

impl StoreRequests {
    pub(crate) fn new(store: Store, clock: Clock, limits: BatchLimits) -> Self {
        Self { store, clock, limits }
    }

    pub(crate) async fn retry(&self, selection: &Selection) -> anyhow::Result<Outcome> {
        self.parked(selection, Fate::Retry(self.limits)).await
    }

    pub(crate) async fn discard(&self, selection: &Selection, reason: &str) -> anyhow::Result<Outcome> {
        self.parked(selection, Fate::Discard(reason.to_owned())).await
    }

    pub(crate) async fn pause(&self, website: Option<&str>) -> anyhow::Result<Outcome> {
        self.switch(website, Switch::Pause).await
    }

    pub(crate) async fn resume(&self, website: Option<&str>) -> anyhow::Result<Outcome> {
        self.switch(website, Switch::Resume).await
    }

    pub(crate) async fn set_mode(&self, mode: Mode) -> anyhow::Result<Outcome> {
        let (wanted, now) = (view_mode(mode), self.clock.now());
        let before = self
            .store
            .write(Durability::Durable, move |w| {
                let before = w.reader().view_state()?;
                if before.is_some_and(|view| view.mode != wanted) {
                    w.set_view_mode(wanted, now)?;
                }
                Ok(before)
            })
            .await?;
        let from = before.ok_or(RequestError::NeverStarted)?.mode;
        let from = match from {
            ViewMode::Schedule => Mode::Schedule,
            ViewMode::Realtime => Mode::Realtime,
        };
        Ok(Outcome::Mode { from, to: mode })
    }

    pub(crate) async fn reset(&self) -> anyhow::Result<Outcome> {
        self.set_indexer(IndexerStatus::Invalid).await?;
        Ok(Outcome::Invalidated)
    }

    pub(crate) async fn set_status(&self, status: Status) -> anyhow::Result<Outcome> {
        let to = match status {
            Status::Invalid => IndexerStatus::Invalid,
            Status::Suspended => IndexerStatus::Suspended,
            Status::Valid => IndexerStatus::Valid,
        };
        let from = self.set_indexer(to).await?;
        Ok(Outcome::Status {
            from: from.as_str().to_owned(),
            to: to.as_str().to_owned(),
        })
    }

    /// Sets the indexer's status and returns the one before. Suspending holds back the view as well, and any other
    /// status lets it go again: "suspended" skips both the automatic reindex and the updates by schedule.
    async fn set_indexer(&self, to: IndexerStatus) -> anyhow::Result<IndexerStatus> {
        let now = self.clock.now();
        let from = self
            .store
            .write(Durability::Durable, move |w| {
                let (indexer, view) = (w.reader().indexer_state()?, w.reader().view_state()?);
                w.set_indexer_status(to, now)?;
                // "In full" leaves out nothing that an interrupted one had passed already.
                if to == IndexerStatus::Invalid {
                    w.cancel_backfills(BackfillKind::Reindex.as_str(), now)?;
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

    /// Retries or discards dead letters that were parked before now, in bounded transactions.
    async fn parked(&self, selection: &Selection, fate: Fate) -> anyhow::Result<Outcome> {
        let now = self.clock.now();
        if !selection.keys.is_empty() {
            let keys: Vec<EventKey> = selection.keys.iter().map(|key| key.0).collect();
            return self.decide(&keys, &fate, now).await;
        }
        let mut events = 0;
        for filter in self.filters(selection).await? {
            loop {
                let one = filter.clone();
                let page = self.store.read(move |r| r.parked(&one, CHUNK)).await?;
                // What is parked again meanwhile has had its turn. What was parked later than that, the clock was set back since.
                let later = self.clock.now();
                let keys: Vec<EventKey> = page
                    .iter()
                    .filter(|event| event.parked_at < now || event.parked_at > later)
                    .map(|event| event.key)
                    .collect();
                if keys.is_empty() {
                    break;
                }
                if let Outcome::Parked { events: some, .. } = self.decide(&keys, &fate, now).await? {
                    events += some;
                }
                if page.len() < CHUNK {
                    break;
                }
            }
        }
        Ok(Outcome::Parked { events, missing: 0 })
    }

    async fn decide(&self, keys: &[EventKey], fate: &Fate, now: UtcMillis) -> anyhow::Result<Outcome> {
        let (mut events, mut missing) = (0, 0);
        for chunk in keys.chunks(CHUNK) {
            let (chunk, fate) = (chunk.to_vec(), fate.clone());
            let total = chunk.len() as u64;
            let found = self
                .store
                .write(Durability::Durable, move |w| decide_each(w, &chunk, &fate, now))
                .await?;
            events += found;
            missing += total - found;
        }
        Ok(Outcome::Parked { events, missing })
    }

    /// One filter for each order that has the number that was asked for; otherwise one.
    async fn filters(&self, selection: &Selection) -> anyhow::Result<Vec<ParkedFilter>> {
        let website = match &selection.website {
            Some(code) => self.websites(Some(code)).await?.first().map(|(id, _)| *id),
            None => None,
        };
        let filter = ParkedFilter {
            order: None,
            website,
            code: selection.code.clone(),
            since: selection.since,
            until: selection.until,
        };
        let Some(number) = selection.order.clone() else {
            return Ok(vec![filter]);
        };
        let asked = number.clone();
        let orders = self.store.read(move |r| r.orders_by_number(&asked)).await?;
        if orders.is_empty() {
            return Err(RequestError::UnknownOrder { number }.into());
        }
        let of_order = |order| ParkedFilter {
            order: Some(order),
            ..filter.clone()
        };
        Ok(orders.into_iter().map(of_order).collect())
    }

    async fn switch(&self, website: Option<&str>, switch: Switch) -> anyhow::Result<Outcome> {
        let websites = self.websites(website).await?;
        let now = self.clock.now();
        let (changed, unchanged) = self
            .store
            .write(Durability::Durable, move |w| {
                switch_each(w, websites, switch, now)
            })
            .await?;
        Ok(Outcome::Delivery { changed, unchanged })
    }

    async fn websites(&self, code: Option<&str>) -> anyhow::Result<Vec<(WebsiteId, String)>> {
        let all = self.store.read(|r| r.websites()).await?;
        let Some(code) = code else { return Ok(all) };
        let found: Vec<_> = all.iter().filter(|(_, known)| known == code).cloned().collect();
        if found.is_empty() {
            let known: Vec<&str> = all.iter().map(|(_, code)| code.as_str()).collect();
            let known = match known.is_empty() {
                true => "none yet".to_owned(),
                false => known.join(", "),
            };
            let code = code.to_owned();
            return Err(RequestError::UnknownWebsite { code, known }.into());
        }
        Ok(found)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Switch {
    Pause,
    Resume,
}

fn view_mode(mode: Mode) -> ViewMode {
    match mode {
        Mode::Realtime => ViewMode::Realtime,
        Mode::Schedule => ViewMode::Schedule,
    }
}

/// Returns how many of `keys` were parked.
fn decide_each(
    w: &mut Writer<'_>,
    keys: &[EventKey],
    fate: &Fate,
    now: UtcMillis,
) -> Result<u64, StoreError> {
    let mut found = 0;
    for key in keys {
        let parked = match fate {
            Fate::Retry(limits) => w.retry_parked(*key, *limits, now)?,
            Fate::Discard(reason) => w.discard_parked(*key, reason, now)?,
        };
        found += u64::from(parked);
    }
    Ok(found)
}

/// Returns the codes whose sender changed, and those where nothing was to do.
fn switch_each(
    w: &mut Writer<'_>,
    websites: Vec<(WebsiteId, String)>,
    switch: Switch,
    now: UtcMillis,
) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let senders = w.reader().senders()?;
    let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
    for (website, code) in websites {
        let state = senders
            .iter()
            .find(|sender| sender.website == website)
            .map(|sender| sender.state);
        if !changes(state, switch) {
            unchanged.push(code);
            continue;
        }
        w.set_sender(&sender_row(website, switch, now))?;
        changed.push(code);
    }
    Ok((changed, unchanged))
}

/// Whether the switch means something to a sender in this state. Who resumes a halted one has mended what halted it. A
/// pause that the edge asked for is not an operator's to end.
fn changes(state: Option<SenderState>, switch: Switch) -> bool {
    match switch {
        Switch::Pause => state != Some(SenderState::Paused),
        Switch::Resume => matches!(state, Some(SenderState::Paused | SenderState::Halted)),
    }
}

fn sender_row(website: WebsiteId, switch: Switch, now: UtcMillis) -> SenderRow {
    let (state, code, reason) = match switch {
        Switch::Pause => (SenderState::Paused, "paused", "paused by an operator"),
        Switch::Resume => (SenderState::Running, "", ""),
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

#[cfg(test)]
mod tests;
