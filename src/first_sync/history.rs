//! How far back the history of each website reaches, and from when its window counts.

use std::collections::BTreeMap;

use crate::config::{Config, History};
use crate::store::first_sync::NewFirstSync;
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;

/// The websites whose back-office events are on, each as it would be enrolled at `now`.
pub fn candidates(config: &Config, now: UtcMillis) -> Vec<NewFirstSync> {
    let sending = config
        .websites
        .iter()
        .filter(|(_, website)| website.back_office_events);
    sending
        .map(|(code, _)| NewFirstSync {
            code: code.clone(),
            deadline: now.plus_millis(config.first_sync.window.millis()),
            floor: floor(config.first_sync.history, now),
        })
        .collect()
}

/// By website, the creation time below which an order that a backfill meets for the first time has no events: what its own
/// first sync began with, or, where none did, what one would begin with now. Websites without limit are absent.
///
/// # Errors
/// If the store cannot be read.
pub fn floors(
    reader: &Reader<'_>,
    config: &Config,
    now: UtcMillis,
) -> Result<BTreeMap<String, UtcMillis>, StoreError> {
    let (websites, syncs) = (reader.websites()?, reader.first_syncs()?);
    let began = |code: &str| {
        let (id, _) = websites.iter().find(|(_, known)| known == code)?;
        syncs.iter().find(|row| row.website == *id)
    };
    let floor_of = |new: NewFirstSync| match began(&new.code) {
        Some(row) => row.floor.map(|floor| (new.code, floor)),
        None => new.floor.map(|floor| (new.code, floor)),
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
