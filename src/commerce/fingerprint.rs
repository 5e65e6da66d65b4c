//! Which database this is: an answer that survives restarts, upgrades, new orders and a failover to a replica, and
//! changes when another database takes its place.
//!
//! Servers know themselves by ids that change at a failover, and a schema looks the same everywhere. What is one
//! database's own is its data, so the fingerprint is made of its oldest orders (id, number, time of creation, store
//! view: nothing about a person), one short hash each. A young database's fingerprint grows with its first orders, and
//! a purge of old orders takes from it, so equality is the wrong question: ask [`same_database`], and keep the newer
//! fingerprint whenever it says yes.
//!
//! An older copy of the same database (a restored backup) has the same oldest orders and counts as the same here.

use sha2::{Digest, Sha256};

/// How many orders the fingerprint is made of. More would survive larger purges and cost nothing much.
pub(crate) const ANCHORS: usize = 8;
const VERSION: &str = "orders1";

/// Makes the fingerprint of the oldest orders, each given as its columns joined in a fixed way.
pub(crate) fn fingerprint(oldest: &[String]) -> String {
    let anchors: Vec<_> = oldest.iter().map(|order| anchor(order)).collect();
    format!("{VERSION}:{}", anchors.join("."))
}

/// Whether two fingerprints are of one database, at different times perhaps. An empty database (no order yet) may
/// become any, so it matches everything; fingerprints of unknown form match only themselves.
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
            stored.is_empty() || found.iter().any(|anchor| stored.contains(anchor))
        }
        _ => stored == found,
    }
}

fn anchor(order: &str) -> String {
    let digest = Sha256::digest(order.as_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
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
