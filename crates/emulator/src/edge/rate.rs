//! The quota of an organization, in request units per second.
//!
//! One unit is up to 8 KB of body per upstream service (Adobe, Edge Network guardrails).

use std::collections::HashMap;

use orderfeed_model::clock::UtcMillis;

/// Returns the units of a request.
pub(crate) fn request_units(bytes: u64, upstreams: u64) -> u64 {
    bytes.div_ceil(8192).max(1) * upstreams.max(1)
}

/// The units each organization spent in the current second of the virtual clock.
#[derive(Debug, Default)]
pub(crate) struct RateMeter {
    spent: HashMap<String, (i64, u64)>,
}

impl RateMeter {
    /// Spends `units`. Returns false and spends none if that would exceed `limit` in this second (0 = no limit).
    pub(crate) fn spend(&mut self, org: &str, units: u64, limit: u64, now: UtcMillis) -> bool {
        if limit == 0 {
            return true;
        }
        let second = now.0.div_euclid(1000);
        if !self.spent.contains_key(org) {
            self.spent.insert(org.to_owned(), (second, 0));
        }
        let Some(entry) = self.spent.get_mut(org) else {
            return true;
        };
        if entry.0 != second {
            *entry = (second, 0);
        }
        if entry.1 + units > limit {
            return false;
        }
        entry.1 += units;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_count_eight_kilobytes_for_each_upstream() {
        assert_eq!(request_units(1, 1), 1);
        assert_eq!(request_units(8192, 1), 1);
        assert_eq!(request_units(8193, 1), 2);
        assert_eq!(request_units(65_536, 2), 16);
    }

    #[test]
    fn each_organization_has_its_own_second() {
        let mut meter = RateMeter::default();
        assert!(meter.spend("a", 2, 3, UtcMillis(0)));
        assert!(!meter.spend("a", 2, 3, UtcMillis(999)));
        assert!(meter.spend("b", 2, 3, UtcMillis(999)));
        assert!(meter.spend("a", 3, 3, UtcMillis(1000)));
        assert!(meter.spend("a", 900, 0, UtcMillis(1000)));
    }
}
