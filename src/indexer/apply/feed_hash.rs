//! The hash that recognizes an unchanged order.
//!
//! It covers everything that was read, in one canonical order (lists are sorted by id), and the order's route. It leaves
//! out `updated_at`, which moves without anything having changed. If the hash of the same order differs between two
//! versions of this program, each order is derived once more, and no event is made twice.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};

use crate::indexer::apply::routing::Route;
use crate::store::feed::FeedHash;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::Order;

/// Raise this when the events of an unchanged order may differ from before.
const VERSION: u8 = 1;

/// Returns the hash of an order and its route. The order is unchanged afterwards.
pub(crate) fn feed_hash(order: &mut Order, route: &Route) -> FeedHash {
    // Replaced for a moment, because a clone of the order would cost more than its hash.
    let updated_at = std::mem::replace(&mut order.updated_at, UtcMillis(0));
    let mut bytes = Collector(Vec::with_capacity(4096));
    VERSION.hash(&mut bytes);
    route.hash(&mut bytes);
    order.hash(&mut bytes);
    order.updated_at = updated_at;
    let digest = Sha256::digest(&bytes.0);
    // Half of the digest is enough to distinguish two versions of one order, and the feed has a row for every order.
    let mut hash = FeedHash::default();
    hash.copy_from_slice(&digest[..16]);
    hash
}

/// A hasher that collects its input for SHA-256, because the algorithm of the standard library's hasher may change.
struct Collector(Vec<u8>);

impl Hasher for Collector {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::feed::Exported;

    #[test]
    fn only_what_matters_changes_the_hash() {
        let route = Route::Send("base".to_owned());
        let mut order = Order {
            id: 7,
            state: "new".to_owned(),
            ..Order::default()
        };
        let hash = feed_hash(&mut order, &route);
        order.updated_at = UtcMillis(99);
        assert_eq!(feed_hash(&mut order, &route), hash);
        assert_eq!(order.updated_at, UtcMillis(99));
        assert_ne!(
            feed_hash(&mut order, &Route::Withhold(Exported::WebsiteOff)),
            hash
        );
        order.state = "complete".to_owned();
        assert_ne!(feed_hash(&mut order, &route), hash);
    }
}
