//! The built-in fault profile: what a bad day looks like, drawn from a seed.

use crate::emulator::config::RandomFaults;
use crate::emulator::script::{CloseAt, FaultStep};

/// Draws faults. The same seed and the same number of requests give the same faults in the same order.
#[derive(Debug)]
pub(crate) struct FaultDice {
    rate: f64,
    rng: fastrand::Rng,
}

impl FaultDice {
    /// Starts the sequence of `faults.seed`.
    pub(crate) fn new(faults: RandomFaults) -> Self {
        Self {
            rate: faults.rate,
            rng: fastrand::Rng::with_seed(faults.seed),
        }
    }

    /// What the next data request meets.
    pub(crate) fn roll(&mut self) -> Option<FaultStep> {
        let hit = self.rng.f64() < self.rate;
        let kind = self.rng.u32(0..100);
        let hang = self.rng.u64(50..500);
        hit.then(|| match kind {
            0..20 => coded("0000", Some("1")),
            20..35 => coded("0000", None),
            35..55 => FaultStep {
                status: Some(429),
                retry_after: Some("1".to_owned()),
                ..FaultStep::default()
            },
            55..70 => closed(CloseAt::BeforeRead),
            70..85 => closed(CloseAt::AfterRecord),
            _ => FaultStep {
                hang_ms: Some(hang),
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
        let mut dice = FaultDice::new(RandomFaults { rate, seed });
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
}
