//! Websites whose events cannot leave: their senders are halted or paused, or they have no datastream any more.
//!
//! One website's trouble must not hold up the others, and the outbox is bounded all the same. So the backlog of such a
//! website does not count towards the bound of those that flow; together, such backlogs have a bound of the same size
//! of their own. When it is reached, orders of these websites are indexed without new events ([`Exported::OutboxFull`]),
//! and found again by a full reindex once there is room. If no website flows, there is nobody to be held up: then
//! everything counts and intake waits as a whole, which costs no reindex. [`flowing`] and [`full`] decide and are pure.
//!
//! [`Exported::OutboxFull`]: crate::store::feed::Exported::OutboxFull

use std::collections::BTreeSet;

use crate::config::Config;
use crate::store::outbox::{SenderRow, SenderState};
use crate::store::views::IndexerStatus;
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// `meta`: the websites for which nothing more was taken, joined by commas. Written before the first order is passed over.
const FULL: &str = "outbox_full_websites";

/// What waits for one website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The website's code.
    pub website: String,
    /// Events that wait.
    pub events: u64,
    /// Whether they can leave.
    pub way: Way,
}

/// Whether events of a website can leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// They leave now, or by themselves after a pause.
    Open,
    /// Its sender stands still; the sentence says why and what to do.
    Shut(String),
    /// It has no datastream, so there is no sender; nothing new is queued for it either.
    Gone,
}

/// What waits for each website that is configured, or that has something waiting.
///
/// # Errors
/// If the store cannot be read.
pub fn backlogs(reader: &Reader<'_>, config: &Config) -> Result<Vec<Backlog>, StoreError> {
    let (codes, pending, senders) = (
        reader.websites()?,
        reader.pending_by_website()?,
        reader.senders()?,
    );
    let mut all = Vec::new();
    for (id, code) in &codes {
        let waiting = pending.iter().find(|(website, _)| website == id);
        all.push(Backlog {
            website: code.clone(),
            events: waiting.map_or(0, |(_, events)| *events),
            way: way(config, code, senders.iter().find(|sender| sender.website == *id)),
        });
    }
    let is_new = |code: &&String| !codes.iter().any(|(_, known)| known == *code);
    for code in config.websites.keys().filter(is_new) {
        all.push(Backlog {
            website: code.clone(),
            events: 0,
            way: way(config, code, None),
        });
    }
    Ok(all)
}

fn way(config: &Config, code: &str, sender: Option<&SenderRow>) -> Way {
    let website = config.websites.get(code);
    if website.is_none_or(|website| website.datastream.is_none()) {
        return Way::Gone;
    }
    match sender.map(|sender| (sender.state, sender)) {
        Some((SenderState::Halted, sender)) => {
            Way::Shut(format!("halted ({}): {}", sender.code, sender.reason))
        }
        Some((SenderState::Paused, _)) => Way::Shut(format!(
            "paused by an operator; `orderfeed delivery resume --website {code}` ends it"
        )),
        _ => Way::Open,
    }
}

/// Events that count towards the bound of the outbox.
pub fn flowing(backlogs: &[Backlog]) -> u64 {
    let counts = |backlog: &&Backlog| match backlog.way {
        Way::Open => true,
        Way::Shut(_) => !is_any_open(backlogs),
        Way::Gone => false,
    };
    backlogs.iter().filter(counts).map(|backlog| backlog.events).sum()
}

/// Websites for which nothing more is taken. Once it is so, it stays so until half of the bound is free.
pub fn full(before: &BTreeSet<String>, backlogs: &[Backlog], bound: u64) -> BTreeSet<String> {
    let shut = |backlog: &&Backlog| matches!(backlog.way, Way::Shut(_));
    let waiting: u64 = backlogs.iter().filter(shut).map(|backlog| backlog.events).sum();
    let bound = if before.is_empty() { bound } else { bound / 2 };
    if waiting < bound || !is_any_open(backlogs) {
        return BTreeSet::new();
    }
    let codes = backlogs
        .iter()
        .filter(shut)
        .map(|backlog| backlog.website.clone());
    codes.collect()
}

fn is_any_open(backlogs: &[Backlog]) -> bool {
    backlogs.iter().any(|backlog| backlog.way == Way::Open)
}

/// The websites for which nothing more was taken when this was last noted.
///
/// # Errors
/// If the store cannot be read.
pub fn noted(reader: &Reader<'_>) -> Result<BTreeSet<String>, StoreError> {
    let text = reader.meta(FULL)?.unwrap_or_default();
    let codes = text.split(',').filter(|code| !code.is_empty());
    Ok(codes.map(str::to_owned).collect())
}

/// Notes them. For those that are taken again, a full reindex finds what was passed over. Returns what holds from now on:
/// on a suspended index nobody could find anything, so there everything stays.
///
/// # Errors
/// If the store cannot be written.
pub fn note(
    writer: &mut Writer<'_>,
    full: BTreeSet<String>,
    at: UtcMillis,
) -> Result<BTreeSet<String>, StoreError> {
    let reader = writer.reader();
    let before = noted(&reader)?;
    let status = reader.indexer_state()?.map(|state| state.status);
    if before.difference(&full).next().is_some() {
        if status == Some(IndexerStatus::Suspended) {
            return Ok(before);
        }
        // A reindex that is under way passed over some of the orders: it is not the last one.
        writer.set_indexer_status(IndexerStatus::Invalid, at)?;
    }
    let codes: Vec<&str> = full.iter().map(String::as_str).collect();
    writer.set_meta(FULL, &codes.join(","))?;
    Ok(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(website: &str, events: u64, way: Way) -> Backlog {
        Backlog {
            website: website.to_owned(),
            events,
            way,
        }
    }

    fn shut() -> Way {
        Way::Shut("made up".to_owned())
    }

    #[test]
    fn what_cannot_leave_does_not_count_towards_the_bound_of_what_flows() {
        let all = [
            backlog("a", 10, Way::Open),
            backlog("b", 700, shut()),
            backlog("c", 9000, Way::Gone),
        ];
        assert_eq!(flowing(&all), 10);
        assert_eq!(flowing(&all[1..]), 700, "if nobody flows, nobody is held up");
    }

    #[test]
    fn standstill_has_a_bound_of_its_own_and_ends_when_half_of_it_is_free() {
        let none = BTreeSet::new();
        let both: BTreeSet<String> = ["b".to_owned(), "d".to_owned()].into();
        let at = |b, d| {
            [
                backlog("a", 10, Way::Open),
                backlog("b", b, shut()),
                backlog("c", 9000, Way::Gone),
                backlog("d", d, shut()),
            ]
        };
        assert_eq!(full(&none, &at(500, 499), 1000), none);
        assert_eq!(full(&none, &at(500, 500), 1000), both);
        assert_eq!(full(&both, &at(300, 200), 1000), both);
        assert_eq!(full(&both, &at(300, 199), 1000), none);
        assert_eq!(
            full(&both, &at(5000, 0)[1..], 1000),
            none,
            "then intake as a whole waits"
        );
        let resumed = [backlog("b", 900, Way::Open), backlog("d", 600, shut())];
        assert_eq!(full(&both, &resumed, 1000), ["d".to_owned()].into());
    }
}
