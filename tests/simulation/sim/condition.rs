//! Random answers of the edge. The current condition of the edge determines the kinds and rates of faults.

use fastrand::Rng;
use orderfeed::delivery::http::transport::{RawResponse, TransportError, TransportErrorKind};

/// Condition of the edge for some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nearly everything is accepted.
    #[default]
    Healthy,
    /// A third of the requests fails in some way.
    Flaky,
    Down,
    /// Most requests exceed a rate limit.
    Overloaded,
    /// An operator must fix a problem, and does.
    Misconfigured,
}

impl Condition {
    pub fn next(rng: &mut Rng) -> Self {
        match rng.u8(..10) {
            0..=3 => Self::Healthy,
            4..=6 => Self::Flaky,
            7 => Self::Down,
            8 => Self::Overloaded,
            _ => Self::Misconfigured,
        }
    }
}

/// The fate of a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// The edge checks the events and answers accordingly.
    Served,
    /// The edge accepts the request with a warning about one event.
    Warned { consent: bool },
    /// The edge answers this without reading the events.
    Refused(RawResponse),
    /// No answer. `recorded` is true if the edge stored the events before.
    Lost {
        recorded: bool,
        cause: TransportErrorKind,
        after_ms: u64,
    },
    /// An accepting answer that breaks off.
    CutOff,
    /// An accepting answer that is not JSON.
    Garbled,
    /// An error in an answer with an accepting status. Nothing is stored.
    FalseYes(RawResponse),
}

impl Fate {
    pub fn draw(condition: Condition, rng: &mut Rng) -> Self {
        let trouble = match condition {
            Condition::Healthy => rng.u8(..25) == 0,
            Condition::Flaky => rng.u8(..3) == 0,
            Condition::Down | Condition::Overloaded | Condition::Misconfigured => rng.u8(..20) != 0,
        };
        if !trouble {
            return match rng.u8(..30) {
                0 => Self::Warned { consent: true },
                1 => Self::Warned { consent: false },
                2 => Self::Garbled,
                _ => Self::Served,
            };
        }
        match condition {
            Condition::Down => Self::lost(rng),
            Condition::Overloaded => Self::Refused(busy(rng)),
            Condition::Misconfigured => Self::Refused(shut(rng)),
            Condition::Healthy | Condition::Flaky => match rng.u8(..12) {
                0..=3 => Self::lost(rng),
                4 => Self::CutOff,
                5 | 6 => Self::Refused(busy(rng)),
                7 | 8 => Self::Refused(broken(rng)),
                9 => Self::FalseYes(RawResponse {
                    status: [200, 202, 207][rng.usize(..3)],
                    ..broken(rng)
                }),
                10 => Self::Refused(problem(401, "EXEG-0502-401", None)),
                _ => Self::Refused(odd(rng)),
            },
        }
    }

    fn lost(rng: &mut Rng) -> Self {
        let (cause, after_ms) = match rng.u8(..3) {
            0 => (TransportErrorKind::Connect, rng.u64(1..20)),
            1 => (TransportErrorKind::Network, rng.u64(1..2_000)),
            _ => (TransportErrorKind::Timeout, 30_000),
        };
        let recorded = cause != TransportErrorKind::Connect && rng.bool();
        Self::Lost {
            recorded,
            cause,
            after_ms,
        }
    }

    /// Returns the accepting answer to a request with this many events.
    pub fn yes(&self, events: usize, rng: &mut Rng) -> RawResponse {
        let status = [200, 202, 204][rng.usize(..3)];
        let body = match self {
            Self::Warned { consent: true } => {
                r#"{"warnings":[{"type":"https://ns.adobe.com/aep/errors/EXEG-0301-200","title":"No consent"}]}"#
                    .to_owned()
            }
            Self::Warned { consent: false } => {
                let index = rng.usize(..events + 1);
                format!(
                    r#"{{"errors":[{{"type":"https://ns.adobe.com/aep/errors/EXEG-0201-503","title":"Upstream","report":{{"eventIndex":{index}}}}}]}}"#
                )
            }
            Self::Garbled => "<html>It works!</html>".to_owned(),
            _ => "{}".to_owned(),
        };
        RawResponse {
            status: match self {
                Self::Warned { .. } => 207,
                _ => status,
            },
            retry_after: None,
            date: None,
            body: body.into_bytes(),
            complete: !matches!(self, Self::CutOff),
        }
    }
}

/// Returns the error of a missing answer.
pub fn no_reply(cause: TransportErrorKind) -> TransportError {
    TransportError {
        kind: cause,
        message: format!("made up: {cause:?}"),
    }
}

/// Returns an answer with a problem in its body.
pub fn problem(status: u16, code: &str, retry_after: Option<String>) -> RawResponse {
    let body = format!(
        r#"{{"type":"https://ns.adobe.com/aep/errors/{code}","status":{status},"title":"Made up","detail":"by lot"}}"#
    );
    RawResponse {
        status,
        retry_after,
        date: None,
        body: body.into_bytes(),
        complete: true,
    }
}

fn busy(rng: &mut Rng) -> RawResponse {
    let (status, code) = match rng.bool() {
        true => (429, "EXEG-0000-429"),
        false => (503, "EXEG-0000-503"),
    };
    let retry_after = match rng.u8(..5) {
        0 => None,
        1 => Some("soon".to_owned()),
        2 => Some("0".to_owned()),
        _ => Some(rng.u32(1..90).to_string()),
    };
    problem(status, code, retry_after)
}

fn shut(rng: &mut Rng) -> RawResponse {
    match rng.u8(..5) {
        0 => problem(400, "EXEG-0003-400", None),
        1 => problem(403, "EXEG-0504-401", None),
        2 => problem(404, "none", None),
        3 => problem(302, "none", None),
        _ => problem(401, "EXEG-0500-401", None),
    }
}

fn broken(rng: &mut Rng) -> RawResponse {
    let retry_after = (rng.u8(..4) == 0).then(|| rng.u32(1..40).to_string());
    match rng.u8(..6) {
        0 => problem(500, "EXEG-0001-500", retry_after),
        1 => problem(500, "none", retry_after),
        2 => problem(502, "EXEG-0202-502", retry_after),
        3 => problem(502, "EXEG-0203-502", retry_after),
        4 => problem(504, "EXEG-0200-504", retry_after),
        _ => problem(408, "none", retry_after),
    }
}

fn odd(rng: &mut Rng) -> RawResponse {
    let mut body = vec![0; rng.usize(..60)];
    rng.fill(&mut body);
    RawResponse {
        status: [418, 451, 599, 413, 409][rng.usize(..5)],
        retry_after: None,
        date: None,
        body,
        complete: rng.bool(),
    }
}
