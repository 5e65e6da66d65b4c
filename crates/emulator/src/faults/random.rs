//! Random faults, drawn from a seed.

use crate::config::{FaultMix, RandomFaults};
use crate::faults::script::{CloseAt, FaultStep};

/// A generator of faults. Equal seeds give equal faults in equal order.
#[derive(Debug)]
pub(crate) struct FaultDice {
    rate: f64,
    mix: FaultMix,
    rng: fastrand::Rng,
}

impl FaultDice {
    pub(crate) fn new(faults: RandomFaults) -> Self {
        Self {
            rate: faults.rate,
            mix: faults.mix,
            rng: fastrand::Rng::with_seed(faults.seed),
        }
    }

    /// Returns the fault of the next data request, if it meets one.
    pub(crate) fn roll(&mut self) -> Option<FaultStep> {
        let hit = self.rng.f64() < self.rate;
        let FaultMix {
            busy,
            unavailable,
            too_many,
            reset_before,
            reset_after,
            hang,
            hang_ms,
        } = self.mix;
        let weights = [busy, unavailable, too_many, reset_before, reset_after, hang].map(u64::from);
        let total: u64 = weights.iter().sum();
        let mut drawn = self.rng.u64(0..total.max(1));
        let short = self.rng.u64(50..500);
        let hang_ms = hang_ms.unwrap_or(short);
        if !hit || total == 0 {
            return None;
        }
        let kind = weights
            .iter()
            .position(|weight| match drawn.checked_sub(*weight) {
                Some(beyond) => {
                    drawn = beyond;
                    false
                }
                None => true,
            });
        Some(match kind {
            Some(0) => coded("0000", Some("1")),
            Some(1) => coded("0000", None),
            Some(2) => FaultStep {
                status: Some(429),
                retry_after: Some("1".to_owned()),
                ..FaultStep::default()
            },
            Some(3) => closed(CloseAt::BeforeRead),
            Some(4) => closed(CloseAt::AfterRecord),
            _ => FaultStep {
                hang_ms: Some(hang_ms),
                ..FaultStep::default()
            },
        })
    }
}

fn coded(code: &str, retry_after: Option<&str>) -> FaultStep {
    FaultStep {
        status: Some(503),
        code: Some(code.to_owned()),
        retry_after: retry_after.map(str::to_owned),
        ..FaultStep::default()
    }
}

fn closed(at: CloseAt) -> FaultStep {
    FaultStep {
        close: Some(at),
        ..FaultStep::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolls(rate: f64, seed: u64) -> Vec<Option<FaultStep>> {
        let mut dice = FaultDice::new(RandomFaults::new(rate, seed));
        (0..1000).map(|_| dice.roll()).collect()
    }

    #[test]
    fn a_seed_reproduces_its_faults() {
        assert_eq!(rolls(0.2, 7), rolls(0.2, 7));
        assert_ne!(rolls(0.2, 7), rolls(0.2, 8));
    }

    #[test]
    fn the_rate_is_kept_and_every_kind_occurs() {
        let hits: Vec<_> = rolls(0.3, 1).into_iter().flatten().collect();
        assert!((200..400).contains(&hits.len()), "{}", hits.len());
        assert!(hits.iter().any(|step| step.status == Some(429)));
        assert!(hits.iter().any(|step| step.status == Some(503)));
        assert!(hits.iter().any(|step| step.close == Some(CloseAt::BeforeRead)));
        assert!(hits.iter().any(|step| step.close == Some(CloseAt::AfterRecord)));
        assert!(hits.iter().any(|step| step.hang_ms.is_some()));
        assert!(rolls(0.0, 1).iter().all(Option::is_none));
    }

    #[test]
    fn a_mix_leaves_out_what_has_no_weight_and_keeps_the_proportions() {
        let mix = FaultMix {
            busy: 0,
            unavailable: 3,
            too_many: 0,
            reset_before: 0,
            reset_after: 0,
            hang: 1,
            hang_ms: Some(9_000),
        };
        let faults = RandomFaults {
            mix,
            ..RandomFaults::new(1.0, 1)
        };
        let mut dice = FaultDice::new(faults);
        let steps: Vec<_> = (0..1000).filter_map(|_| dice.roll()).collect();
        let (hangs, others): (Vec<_>, Vec<_>) = steps.iter().partition(|step| step.hang_ms == Some(9_000));
        assert!((200..300).contains(&hangs.len()), "{}", hangs.len());
        assert!(others.iter().all(|step| **step == coded("0000", None)));
        let nothing = FaultMix {
            unavailable: 0,
            hang: 0,
            ..mix
        };
        let mut dice = FaultDice::new(RandomFaults {
            mix: nothing,
            ..faults
        });
        assert_eq!(dice.roll(), None);
    }
}
