//! Injected faults: a script of effects for the next requests, and faults drawn at random.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;

/// A fault for the next requests that match it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Part of the path that a request must have, such as `/V1/orders`; `None` matches every request of the API.
    pub path: Option<String>,
    /// Number of requests that meet the fault; `None` means all.
    pub times: Option<u32>,
    pub effect: Effect,
}

impl Fault {
    /// Creates a fault for the next request.
    pub fn once(effect: Effect) -> Self {
        Self {
            path: None,
            times: Some(1),
            effect,
        }
    }

    /// Restricts the fault to paths that contain `path`.
    pub fn on(self, path: &str) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..self
        }
    }

    /// Sets the number of requests that meet the fault.
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// Makes all matching requests meet the fault.
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }
}

/// The effect of a fault on one answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Answers late.
    Delay(Duration),
    /// Sends half of the body, and the rest after this time.
    Stall(Duration),
    /// Sends half of the body as if it were whole.
    CutJson,
    /// Closes the connection in the middle of the body.
    CutConnection,
    /// A body that is not the gzip that its header announces.
    BadGzip,
    /// A page of HTML with this status.
    Html(u16),
    /// 429, with or without `Retry-After` in seconds.
    TooMany { retry_after: Option<u32> },
    /// An exception whose message is hidden, with status 400 or 500.
    Masked(u16),
    /// The end of PHP's process.
    Fatal,
    /// The nonce was used before, because a proxy repeated the request.
    NonceUsed,
    /// The nonce could not be stored.
    NonceFailed,
    /// The signature is wrong.
    BadSignature,
    /// A redirect to another host.
    Redirect,
    /// The answer to a malformed filter of fields: 200 with an empty list.
    EmptyList,
    /// Repeats the first row of the page at its end.
    DoubledRows,
    /// Reverses the rows of the page.
    Unsorted,
    /// Drops the second half of the rows.
    ShortPage,
    /// Adds this to `total_count`.
    WrongCount(i64),
    /// Executes these statements on the shop after the answer was computed.
    Then(Vec<String>),
}

impl Effect {
    /// Returns the name of the effect in the ledger.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Stall(_) => "stall",
            Self::CutJson => "cut_json",
            Self::CutConnection => "cut_connection",
            Self::BadGzip => "bad_gzip",
            Self::Html(_) => "html",
            Self::TooMany { .. } => "too_many",
            Self::Masked(_) => "masked",
            Self::Fatal => "fatal",
            Self::NonceUsed => "nonce_used",
            Self::NonceFailed => "nonce_failed",
            Self::BadSignature => "bad_signature",
            Self::Redirect => "redirect",
            Self::EmptyList => "empty_list",
            Self::DoubledRows => "doubled_rows",
            Self::Unsorted => "unsorted",
            Self::ShortPage => "short_page",
            Self::WrongCount(_) => "wrong_count",
            Self::Then(_) => "then",
        }
    }
}

/// Transient faults drawn at random: what a client must survive without a person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomFaults {
    /// Share of requests that meet a fault, 0.0 to 1.0.
    pub rate: f64,
    /// Equal seeds give equal sequences of faults.
    pub seed: u64,
}

/// The script, and the dice for random faults.
#[derive(Debug)]
pub(crate) struct FaultScript {
    faults: VecDeque<Fault>,
    random: Option<(f64, Rng)>,
}

impl FaultScript {
    pub(crate) fn new(random: Option<RandomFaults>) -> Self {
        let mut script = Self {
            faults: VecDeque::new(),
            random: None,
        };
        script.set_random(random);
        script
    }

    pub(crate) fn set_random(&mut self, random: Option<RandomFaults>) {
        self.random = random.map(|faults| (faults.rate, Rng::with_seed(faults.seed)));
    }

    pub(crate) fn push(&mut self, faults: Vec<Fault>) {
        self.faults.extend(faults);
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.faults.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// Takes the first fault that matches, or draws one.
    pub(crate) fn pick(&mut self, path: &str) -> Option<Effect> {
        let matches = |fault: &Fault| {
            fault
                .path
                .as_ref()
                .is_none_or(|part| path.contains(part.as_str()))
        };
        let Some(index) = self.faults.iter().position(matches) else {
            return self.draw();
        };
        let fault = self.faults.get_mut(index)?;
        match &mut fault.times {
            Some(left) if *left <= 1 => self.faults.remove(index).map(|fault| fault.effect),
            Some(left) => {
                *left -= 1;
                Some(fault.effect.clone())
            }
            None => Some(fault.effect.clone()),
        }
    }

    fn draw(&mut self) -> Option<Effect> {
        let (rate, rng) = self.random.as_mut()?;
        if rng.f64() >= *rate {
            return None;
        }
        let millis = Duration::from_millis(rng.u64(20..200));
        Some(match rng.u32(..16) {
            0 => Effect::Delay(millis),
            1 => Effect::Stall(millis),
            2 => Effect::CutJson,
            3 => Effect::CutConnection,
            4 => Effect::BadGzip,
            5 => Effect::Html(rng.choice([200, 502, 503, 504]).unwrap_or(503)),
            6 => Effect::TooMany {
                retry_after: rng.bool().then_some(1),
            },
            7 => Effect::Masked(if rng.bool() { 400 } else { 500 }),
            8 => Effect::Fatal,
            9 => Effect::NonceUsed,
            10 => Effect::NonceFailed,
            11 => Effect::DoubledRows,
            12 => Effect::Unsorted,
            13 => Effect::ShortPage,
            14 => Effect::WrongCount(if rng.bool() { 3 } else { -1 }),
            _ => Effect::EmptyList,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_its_path_and_ends_after_its_times() {
        let mut script = FaultScript::new(None);
        script.push(vec![
            Fault::once(Effect::Fatal).on("/V1/orders").times(2),
            Fault::once(Effect::CutJson),
        ]);
        assert_eq!(script.pick("/V1/invoices"), Some(Effect::CutJson));
        assert_eq!(script.pick("/V1/invoices"), None);
        assert_eq!(script.pick("/V1/orders/7"), Some(Effect::Fatal));
        assert_eq!(script.pick("/V1/orders"), Some(Effect::Fatal));
        assert_eq!(script.pick("/V1/orders"), None);
    }

    #[test]
    fn equal_seeds_draw_equal_faults_at_about_their_rate() {
        let drawn = |seed| -> Vec<Option<Effect>> {
            let mut script = FaultScript::new(Some(RandomFaults { rate: 0.2, seed }));
            (0..1000).map(|_| script.pick("/V1/orders")).collect()
        };
        assert_eq!(drawn(7), drawn(7));
        let met = drawn(7).into_iter().flatten().count();
        assert!((150..250).contains(&met), "{met}");
    }
}
