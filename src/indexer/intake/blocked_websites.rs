//! Websites whose events cannot leave: their senders are halted or paused, or they have no datastream any more.
//!
//! A blocked website must not hold up the others, and the outbox is bounded all the same. So the pending events of blocked
//! websites do not count towards the bound of the others; together they have a bound of the same size of their own.
//! When it is reached, orders of these websites are indexed without new events ([`Exported::OutboxFull`]), and a full
//! reindex finds them again once there is room. If every website is blocked, none can be held up: then all events count and
//! intake waits as a whole, which costs no reindex. [`counted_events`] and [`full_websites`] decide and are pure.
//!
//! [`Exported::OutboxFull`]: crate::store::feed::Exported::OutboxFull

use std::collections::BTreeSet;

use crate::config::Config;
use crate::store::outbox::{SenderRow, SenderState};
use crate::store::views::IndexerStatus;
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// `meta`: the websites for which nothing more was taken, joined by commas. Written before the first order is passed over.
const FULL_WEBSITES: &str = "outbox_full_websites";

/// What waits for one website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebsitePending {
    /// The website's code.
    pub website: String,
    /// Events that wait.
    pub events: u64,
    /// Whether they can leave.
    pub deliverability: Deliverability,
}

/// Whether events of a website can leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deliverability {
    /// They can be sent now, or after a backoff that ends by itself.
    Deliverable,
    /// Its sender is halted or paused, for this reason.
    Blocked(String),
    /// It has no datastream and therefore no sender; nothing new is queued for it either.
    NoDatastream,
}

/// What waits for each website that is configured, or that has something waiting.
///
/// # Errors
/// If the store cannot be read.
pub fn pending_by_website(reader: &Reader<'_>, config: &Config) -> Result<Vec<WebsitePending>, StoreError> {
    let (codes, pending, senders) = (
        reader.websites()?,
        reader.pending_by_website()?,
        reader.senders()?,
    );
    let mut all = Vec::new();
    for (id, code) in &codes {
        let waiting = pending.iter().find(|(website, _)| website == id);
        all.push(WebsitePending {
            website: code.clone(),
            events: waiting.map_or(0, |(_, events)| *events),
            deliverability: deliverability(config, code, senders.iter().find(|sender| sender.website == *id)),
        });
    }
    let is_new = |code: &&String| !codes.iter().any(|(_, known)| known == *code);
    for code in config.websites.keys().filter(is_new) {
        all.push(WebsitePending {
            website: code.clone(),
            events: 0,
            deliverability: deliverability(config, code, None),
        });
    }
    Ok(all)
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
        _ => Deliverability::Deliverable,
    }
}

/// Events that count towards the bound of the outbox.
pub fn counted_events(websites: &[WebsitePending]) -> u64 {
    let counts = |website: &&WebsitePending| match website.deliverability {
        Deliverability::Deliverable => true,
        Deliverability::Blocked(_) => !is_any_deliverable(websites),
        Deliverability::NoDatastream => false,
    };
    websites.iter().filter(counts).map(|website| website.events).sum()
}

/// Websites for which nothing more is taken. Once it is so, it stays so until half of the bound is free.
pub fn full_websites(before: &BTreeSet<String>, websites: &[WebsitePending], bound: u64) -> BTreeSet<String> {
    let blocked = |website: &&WebsitePending| matches!(website.deliverability, Deliverability::Blocked(_));
    let waiting: u64 = websites
        .iter()
        .filter(blocked)
        .map(|website| website.events)
        .sum();
    let bound = if before.is_empty() { bound } else { bound / 2 };
    if waiting < bound || !is_any_deliverable(websites) {
        return BTreeSet::new();
    }
    let codes = websites
        .iter()
        .filter(blocked)
        .map(|website| website.website.clone());
    codes.collect()
}

fn is_any_deliverable(websites: &[WebsitePending]) -> bool {
    websites
        .iter()
        .any(|website| website.deliverability == Deliverability::Deliverable)
}

/// The websites for which nothing more was taken when this was last noted.
///
/// # Errors
/// If the store cannot be read.
pub fn stored_full_websites(reader: &Reader<'_>) -> Result<BTreeSet<String>, StoreError> {
    let text = reader.meta(FULL_WEBSITES)?.unwrap_or_default();
    let codes = text.split(',').filter(|code| !code.is_empty());
    Ok(codes.map(str::to_owned).collect())
}

/// Notes them. For those that are taken again, a full reindex finds what was passed over. Returns what holds from now on:
/// on a suspended index nobody could find anything, so there everything stays.
///
/// # Errors
/// If the store cannot be written.
pub fn store_full_websites(
    writer: &mut Writer<'_>,
    full: BTreeSet<String>,
    at: UtcMillis,
) -> Result<BTreeSet<String>, StoreError> {
    let reader = writer.reader();
    let before = stored_full_websites(&reader)?;
    let status = reader.indexer_state()?.map(|state| state.status);
    if before.difference(&full).next().is_some() {
        if status == Some(IndexerStatus::Suspended) {
            return Ok(before);
        }
        // A reindex that is under way passed over some of the orders: it is not the last one.
        writer.set_indexer_status(IndexerStatus::Invalid, at)?;
    }
    let codes: Vec<&str> = full.iter().map(String::as_str).collect();
    writer.set_meta(FULL_WEBSITES, &codes.join(","))?;
    Ok(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(website: &str, events: u64, deliverability: Deliverability) -> WebsitePending {
        WebsitePending {
            website: website.to_owned(),
            events,
            deliverability,
        }
    }

    fn blocked() -> Deliverability {
        Deliverability::Blocked("made up".to_owned())
    }

    #[test]
    fn what_cannot_leave_does_not_count_towards_the_bound_of_what_flows() {
        let all = [
            pending("a", 10, Deliverability::Deliverable),
            pending("b", 700, blocked()),
            pending("c", 9000, Deliverability::NoDatastream),
        ];
        assert_eq!(counted_events(&all), 10);
        assert_eq!(
            counted_events(&all[1..]),
            700,
            "if nobody flows, nobody is held up"
        );
    }

    #[test]
    fn standstill_has_a_bound_of_its_own_and_ends_when_half_of_it_is_free() {
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
            "then intake as a whole waits"
        );
        let resumed = [
            pending("b", 900, Deliverability::Deliverable),
            pending("d", 600, blocked()),
        ];
        assert_eq!(full_websites(&both, &resumed, 1000), ["d".to_owned()].into());
    }
}
