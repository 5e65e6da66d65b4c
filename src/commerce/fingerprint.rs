//! The identity of a database: it survives restarts, upgrades, new orders and a failover to a replica, and changes when
//! another database takes its place.
//!
//! The ids of servers change at a failover, and the schema is the same everywhere. Only the data distinguishes a
//! database, so the fingerprint consists of its oldest orders (id, number, time of creation, store view: nothing about a
//! person), one short hash each. A new database's fingerprint grows with its first orders, and a purge of old orders
//! shortens it, so fingerprints must not be compared for equality: use [`same_database`], and store the newer fingerprint
//! whenever it returns true.
//!
//! An older copy of the same database (a restored backup) has the same oldest orders and counts as the same.

use sha2::{Digest, Sha256};

/// Number of orders in a fingerprint. More would survive larger purges, at little cost.
pub(crate) const ANCHORS: usize = 8;
const VERSION: &str = "orders1";

/// Returns the fingerprint of the oldest orders, each given as its columns joined in a fixed way.
pub(crate) fn fingerprint(oldest: &[String]) -> String {
    let anchors: Vec<_> = oldest.iter().map(|order| anchor(order)).collect();
    format!("{VERSION}:{}", anchors.join("."))
}

/// Returns true if two fingerprints, taken at different times, are of one database. An empty stored one (no order yet)
/// matches any; fingerprints of unknown form match only themselves.
pub fn same_database(stored: &str, found: &str) -> bool {
    let anchors = |text: &'_ str| -> Option<Vec<String>> {
        let list = text.strip_prefix(VERSION)?.strip_prefix(':')?;
        Some(
            list.split('.')
                .filter(|anchor| !anchor.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    };
    match (anchors(stored), anchors(found)) {
        (Some(stored), Some(found)) => {
            // One common order suffices: a purge removes old ones, and a young database gains some.
            stored.is_empty() || found.iter().any(|anchor| stored.contains(anchor))
        }
        _ => stored == found,
    }
}

fn anchor(order: &str) -> String {
    let digest = Sha256::digest(order.as_bytes());
    hex::encode(&digest[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(orders: &[&str]) -> String {
        fingerprint(&orders.iter().map(|order| (*order).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn growth_and_purges_keep_the_database_and_another_one_is_another() {
        let now = of(&["1|a", "2|b", "3|c"]);
        assert!(same_database(&of(&[]), &now), "the first orders of a new shop");
        assert!(same_database(&of(&["1|a"]), &now), "growth");
        assert!(same_database(&now, &of(&["3|c", "4|d"])), "a purge of old orders");
        assert!(
            !same_database(&now, &of(&["1|x", "2|y"])),
            "another database with the same ids"
        );
        assert!(!same_database(&now, &of(&[])), "an emptied one");
    }
}
