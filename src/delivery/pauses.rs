//! The pauses in force, shared by all senders and by the token client.
//!
//! A pause is recorded the moment that its answer arrives, so that no other request of its owner starts, of whichever
//! website. The sender that reports next writes it into the store.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::outbox::{Pause, PauseKey};
use orderfeed_model::clock::UtcMillis;

/// The last pause of each owner.
#[derive(Debug, Default)]
pub(crate) struct Pauses(Mutex<BTreeMap<PauseKey, Entry>>);

#[derive(Debug)]
struct Entry {
    pause: Pause,
    is_stored: bool,
}

impl Pauses {
    /// Creates the registry from the pauses in the store.
    pub(crate) fn restore(stored: Vec<Pause>) -> Self {
        let entry = |pause: Pause| {
            let key = pause.key.clone();
            (
                key,
                Entry {
                    pause,
                    is_stored: true,
                },
            )
        };
        Self(Mutex::new(stored.into_iter().map(entry).collect()))
    }

    /// Records a pause, unless its owner has a longer one.
    pub(crate) fn ask(&self, pause: Pause) {
        let mut entries = self.entries();
        let is_longer = entries
            .get(&pause.key)
            .is_none_or(|entry| entry.pause.until < pause.until);
        if is_longer {
            let entry = Entry {
                pause: pause.clone(),
                is_stored: false,
            };
            entries.insert(pause.key, entry);
        }
    }

    /// Returns the longest pause of these owners that is not over.
    pub(crate) fn longest(&self, keys: &[PauseKey], now: UtcMillis) -> Option<Pause> {
        let entries = self.entries();
        let of_owners = keys.iter().filter_map(|key| Some(&entries.get(key)?.pause));
        let in_force = of_owners.filter(|pause| now < pause.until);
        in_force.max_by_key(|pause| pause.until).cloned()
    }

    /// Shortens all pauses to `latest`. They are kept by their end, so a clock that was set back would make them longer.
    pub(crate) fn clamp(&self, latest: UtcMillis) {
        for entry in self
            .entries()
            .values_mut()
            .filter(|entry| latest < entry.pause.until)
        {
            entry.pause.until = latest;
            entry.is_stored = false;
        }
    }

    /// Returns the pauses that the store does not have, and counts them as stored.
    pub(crate) fn take_unstored(&self) -> Vec<Pause> {
        let mut entries = self.entries();
        let unstored = entries.values_mut().filter(|entry| !entry.is_stored);
        unstored
            .map(|entry| {
                entry.is_stored = true;
                entry.pause.clone()
            })
            .collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<PauseKey, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::PauseScope;

    fn key(owner: &str) -> PauseKey {
        PauseKey {
            scope: PauseScope::Datastream,
            owner: owner.to_owned(),
        }
    }

    fn pause(owner: &str, until: i64) -> Pause {
        Pause {
            key: key(owner),
            until: UtcMillis(until),
            asked_at: UtcMillis(0),
            code: "http_503".to_owned(),
        }
    }

    #[test]
    fn a_pause_binds_its_owner_until_its_end_and_is_never_cut_short() {
        let pauses = Pauses::restore(vec![pause("a", 50)]);
        pauses.ask(pause("a", 100));
        pauses.ask(pause("a", 70));
        let until = |keys: &[PauseKey], now| {
            let longest = pauses.longest(keys, UtcMillis(now));
            longest.map(|pause| pause.until.0)
        };
        assert_eq!(until(&[key("a")], 99), Some(100));
        assert_eq!(until(&[key("a")], 100), None);
        assert_eq!(until(&[key("b")], 0), None);
        pauses.ask(pause("b", 200));
        assert_eq!(until(&[key("a"), key("b")], 0), Some(200));
    }

    #[test]
    fn only_what_the_store_lacks_is_to_be_stored() {
        let pauses = Pauses::restore(vec![pause("a", 50)]);
        assert_eq!(pauses.take_unstored(), []);
        pauses.ask(pause("a", 100));
        pauses.ask(pause("a", 60));
        assert_eq!(pauses.take_unstored(), [pause("a", 100)]);
        assert_eq!(pauses.take_unstored(), []);
        pauses.clamp(UtcMillis(80));
        assert_eq!(pauses.take_unstored(), [pause("a", 80)]);
    }
}
