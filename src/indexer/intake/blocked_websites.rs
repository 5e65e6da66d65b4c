//! Blocked websites: their senders are halted or paused, so their events cannot be sent.
//!
//! A blocked website must not hold up the others, and the outbox is bounded all the same. So the pending events of blocked
//! websites do not count towards the bound of the others; together they have a bound of the same size of their own.
//! When it is reached, orders of these websites are indexed without new events ([`Exported::OutboxFull`]), and a full
//! reindex finds them once there is room. If every website is blocked, none can be held up: then all events count and
//! intake pauses as a whole, which costs no reindex. [`counted_events`] and [`full_websites`] decide and are pure.
//!
//! [`Exported::OutboxFull`]: crate::store::feed::Exported::OutboxFull

use std::collections::BTreeSet;

use crate::config::Config;
use crate::store::outbox::{SenderRow, SenderState};
use crate::store::views::IndexerStatus;
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// Key in `meta` of the full websites, joined by commas.
const FULL_WEBSITES: &str = "outbox_full_websites";

/// The pending events of one website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebsitePending {
    pub code: String,
    pub events: u64,
    pub deliverability: Deliverability,
}

/// The state of a website's delivery, as far as intake depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deliverability {
    /// Its events can be sent now, or after a backoff that ends by itself.
    Deliverable,
    /// Its sender is halted or paused, for this reason.
    Blocked(String),
    /// It has no datastream and therefore no sender; nothing new is queued for it either.
    NoDatastream,
}

/// Returns the pending events of every website that is configured, or was before.
pub fn pending_by_website(reader: &Reader<'_>, config: &Config) -> Result<Vec<WebsitePending>, StoreError> {
    let (pending, senders) = (reader.pending_by_website()?, reader.senders()?);
    let known = reader.websites()?;
    let is_new = |code: &&String| !known.iter().any(|(_, known)| known == *code);
    let new = config.websites.keys().filter(is_new).map(|code| (None, code));
    let all = known.iter().map(|(id, code)| (Some(*id), code)).chain(new);
    let websites = all.map(|(id, code)| {
        let events = pending.iter().find(|(website, _)| Some(*website) == id);
        let sender = senders.iter().find(|sender| Some(sender.website) == id);
        WebsitePending {
            events: events.map_or(0, |(_, events)| *events),
            deliverability: deliverability(config, code, sender),
            code: code.clone(),
        }
    });
    Ok(websites.collect())
}

fn deliverability(config: &Config, code: &str, sender: Option<&SenderRow>) -> Deliverability {
    let website = config.websites.get(code);
    if website.is_none_or(|website| website.datastream.is_none()) {
        return Deliverability::NoDatastream;
    }
    match sender.map(|sender| (sender.state, sender)) {
        Some((SenderState::Halted, sender)) => {
            Deliverability::Blocked(format!("halted ({}): {}", sender.code, sender.reason))
        }
        Some((SenderState::Paused, _)) => Deliverability::Blocked(format!(
            "paused by an operator; `orderfeed delivery resume --website {code}` ends it"
        )),
        // A backoff ends by itself.
        _ => Deliverability::Deliverable,
    }
}

/// Returns the number of events that count towards the bound of the outbox.
pub fn counted_events(websites: &[WebsitePending]) -> u64 {
    let counts = |website: &&WebsitePending| match website.deliverability {
        Deliverability::Deliverable => true,
        Deliverability::Blocked(_) => !is_any_deliverable(websites),
        Deliverability::NoDatastream => false,
    };
    websites.iter().filter(counts).map(|website| website.events).sum()
}

/// Returns the codes of the blocked websites if their outbox is full. It stays full until half of the bound is free.
pub fn full_websites(before: &BTreeSet<String>, websites: &[WebsitePending], bound: u64) -> BTreeSet<String> {
    let is_blocked = |website: &&WebsitePending| matches!(website.deliverability, Deliverability::Blocked(_));
    let blocked: Vec<_> = websites.iter().filter(is_blocked).collect();
    let pending: u64 = blocked.iter().map(|website| website.events).sum();
    let bound = if before.is_empty() { bound } else { bound / 2 };
    if pending < bound || !is_any_deliverable(websites) {
        return BTreeSet::new();
    }
    blocked.into_iter().map(|website| website.code.clone()).collect()
}

fn is_any_deliverable(websites: &[WebsitePending]) -> bool {
    websites
        .iter()
        .any(|website| website.deliverability == Deliverability::Deliverable)
}

/// Returns the websites that were full when they were last stored.
pub fn stored_full_websites(reader: &Reader<'_>) -> Result<BTreeSet<String>, StoreError> {
    let text = reader.meta(FULL_WEBSITES)?.unwrap_or_default();
    let codes = text.split(',').filter(|code| !code.is_empty());
    Ok(codes.map(str::to_owned).collect())
}

/// Stores the full websites, and invalidates the index if one of the earlier ones has room again. Returns those that count
/// as full from now on.
pub fn store_full_websites(
    writer: &mut Writer<'_>,
    full: BTreeSet<String>,
    at: UtcMillis,
) -> Result<BTreeSet<String>, StoreError> {
    let reader = writer.reader();
    let before = stored_full_websites(&reader)?;
    let status = reader.indexer_state()?.map(|state| state.status);
    if before.difference(&full).next().is_some() {
        // No reindex would run on a suspended index and find the skipped orders, so they all stay full.
        if status == Some(IndexerStatus::Suspended) {
            return Ok(before);
        }
        // Also if a reindex runs: it may have skipped some of the orders already, so another one has to follow.
        writer.set_indexer_status(IndexerStatus::Invalid, at)?;
    }
    let codes: Vec<&str> = full.iter().map(String::as_str).collect();
    writer.set_meta(FULL_WEBSITES, &codes.join(","))?;
    Ok(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(code: &str, events: u64, deliverability: Deliverability) -> WebsitePending {
        WebsitePending {
            code: code.to_owned(),
            events,
            deliverability,
        }
    }

    fn blocked() -> Deliverability {
        Deliverability::Blocked("made up".to_owned())
    }

    #[test]
    fn events_of_blocked_websites_do_not_count_unless_all_are_blocked() {
        let all = [
            pending("a", 10, Deliverability::Deliverable),
            pending("b", 700, blocked()),
            pending("c", 9000, Deliverability::NoDatastream),
        ];
        assert_eq!(counted_events(&all), 10);
        assert_eq!(counted_events(&all[1..]), 700);
    }

    #[test]
    fn blocked_websites_have_a_bound_of_their_own_and_stay_full_until_half_of_it_is_free() {
        let none = BTreeSet::new();
        let both: BTreeSet<String> = ["b".to_owned(), "d".to_owned()].into();
        let at = |b, d| {
            [
                pending("a", 10, Deliverability::Deliverable),
                pending("b", b, blocked()),
                pending("c", 9000, Deliverability::NoDatastream),
                pending("d", d, blocked()),
            ]
        };
        assert_eq!(full_websites(&none, &at(500, 499), 1000), none);
        assert_eq!(full_websites(&none, &at(500, 500), 1000), both);
        assert_eq!(full_websites(&both, &at(300, 200), 1000), both);
        assert_eq!(full_websites(&both, &at(300, 199), 1000), none);
        assert_eq!(
            full_websites(&both, &at(5000, 0)[1..], 1000),
            none,
            "then intake as a whole pauses"
        );
        let resumed = [
            pending("b", 900, Deliverability::Deliverable),
            pending("d", 600, blocked()),
        ];
        assert_eq!(full_websites(&both, &resumed, 1000), ["d".to_owned()].into());
    }
}
