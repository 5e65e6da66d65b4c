//! The extent of each website's history, and the start of its window.

use std::collections::BTreeMap;

use crate::config::{Config, History};
use crate::store::first_sync::NewFirstSync;
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;

/// Returns the websites whose back-office events are on, as they would be enrolled at `now`.
pub fn candidates(config: &Config, now: UtcMillis) -> Vec<NewFirstSync> {
    let websites = config.websites.iter();
    websites
        .filter(|(_, website)| website.back_office_events)
        .map(|(code, _)| NewFirstSync {
            code: code.clone(),
            deadline: now.plus_millis(config.first_sync.window.millis()),
            floor: floor(config.first_sync.history, now),
        })
        .collect()
}

/// Returns for each website the creation time below which an order that a backfill reads for the first time has no
/// events. Websites without a limit are absent.
pub fn floors(
    reader: &Reader<'_>,
    config: &Config,
    now: UtcMillis,
) -> Result<BTreeMap<String, UtcMillis>, StoreError> {
    let (websites, syncs) = (reader.websites()?, reader.first_syncs()?);
    let started = |code: &str| {
        let (id, _) = websites.iter().find(|(_, known)| known == code)?;
        syncs.iter().find(|row| row.website == *id)
    };
    let floor_of = |new: NewFirstSync| {
        // The floor of the first sync applies for ever, even if the configuration changed since.
        let floor = started(&new.code).map_or(new.floor, |row| row.floor);
        Some((new.code, floor?))
    };
    Ok(candidates(config, now).into_iter().filter_map(floor_of).collect())
}

fn floor(history: History, now: UtcMillis) -> Option<UtcMillis> {
    match history {
        History::All => None,
        History::None => Some(now),
        History::Last(length) => Some(now.plus_millis(-length.millis())),
    }
}
