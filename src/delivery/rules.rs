//! What an answer of the edge means: one pure function over one table, which `docs/DELIVERY.md` prints for operators.
//!
//! The code in the body decides first and the status second: `EXEG-0109-408` means "empty request" and must never be
//! retried, while a bare 408 is a timeout. Codes and their meanings are Adobe's (troubleshooting page of the data
//! collection APIs); what we do about each is ours.

mod codes;
mod halt;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use halt::Halt;

use crate::delivery::problem::Problem;
use crate::delivery::rules::codes::{Rule, halt_of, rule_for_code, rule_for_status};

/// An answer, as far as it was read (at most 64 KiB of body).
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// HTTP status.
    pub status: u16,
    /// What `Retry-After` asked for, if it was understood.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: &'a [u8],
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestShape {
    /// Stored batches in the request.
    pub batches: usize,
    /// Events in the request.
    pub events: usize,
    /// Whether all of it was answered with a server error the last time it was sent.
    pub failed_before: bool,
    /// How often its most tried batch was sent before.
    pub attempts: u32,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The edge has it.
    Delivered(Accepted),
    /// Something in it is refused: find out what, by sending less at a time.
    Split(Split, Refused),
    /// This one event is refused.
    Park(Refused),
    /// Later, the same bytes.
    Retry(Retry),
    /// Once more with a fresh token; if that does not help, halt.
    Reauthenticate(Halt),
    /// Nothing will get through until a person mends it.
    Halt(Halt),
}

/// What the edge said beside its yes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Remarks by event index, each as `code title`.
    pub notes: Vec<(usize, String)>,
    /// Events that were accepted and then not used, with the reason.
    pub suppressed: Vec<usize>,
    /// What was odd about the answer as a whole.
    pub anomaly: Option<&'static str>,
}

/// How to send less at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Half of the events.
    Events,
    /// Half of the bytes, and never more than `max` again, if the edge named it.
    Bytes {
        /// Largest body in bytes.
        max: Option<usize>,
    },
}

/// A refusal of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The edge's code, or `http_400` and the like.
    pub code: String,
    /// Title.
    pub title: String,
    /// Detail, for the store only.
    pub detail: String,
    /// How sure it is that this is about the event.
    pub blame: Blame,
}

/// How sure a refusal is about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The code says so.
    Event,
    /// A 4xx that nobody described.
    Unknown,
    /// A server error: it may be the event or the edge.
    Server,
}

/// A later try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How long the edge asked to be left alone.
    pub after: Option<Duration>,
    /// Who is to wait.
    pub who: Who,
    /// The edge's code, or `http_503` and the like.
    pub code: String,
}

/// Who waits before a later try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The whole datastream: the edge asked for it.
    Datastream,
    /// This request; the datastream too if others fare no better.
    Request,
    /// This request, long enough for the edge to recover if it was the edge.
    RequestLong,
}

/// Decides about an answer.
pub fn classify(response: &Response<'_>, shape: &RequestShape) -> Decision {
    let problem = Problem::parse(response.body);
    if (200..300).contains(&response.status) {
        return Decision::Delivered(accepted(response, shape, &problem));
    }
    let rule = problem
        .code
        .as_deref()
        .and_then(rule_for_code)
        .unwrap_or_else(|| rule_for_status(response.status));
    apply(rule, response, shape, problem)
}

fn apply(rule: Rule, response: &Response<'_>, shape: &RequestShape, problem: Problem) -> Decision {
    let code = problem
        .code
        .clone()
        .unwrap_or_else(|| format!("http_{}", response.status));
    match rule {
        Rule::Busy => Decision::Retry(Retry {
            after: response.retry_after.filter(|pause| !pause.is_zero()),
            who: Who::Datastream,
            code,
        }),
        Rule::Retry => retry(response, code),
        Rule::RetryBounded if shape.attempts < codes::BOUNDED_ATTEMPTS => retry(response, code),
        Rule::RetryBounded => refuse(Blame::Server, code, shape, problem),
        Rule::Server if shape.failed_before => refuse(Blame::Server, code, shape, problem),
        Rule::Server => Decision::Retry(Retry {
            after: response.retry_after.filter(|pause| !pause.is_zero()),
            who: Who::RequestLong,
            code,
        }),
        Rule::Refuse => refuse(Blame::Event, code, shape, problem),
        Rule::Unknown => refuse(Blame::Unknown, code, shape, problem),
        Rule::TooLarge => too_large(code, shape, problem),
        Rule::Reauthenticate => Decision::Reauthenticate(halt_of(codes::Why::Token, code, &problem)),
        Rule::Halt(why) => Decision::Halt(halt_of(why, code, &problem)),
    }
}

/// A `Retry-After` that asks for a pause is meant for everyone; "0" is no pause.
fn retry(response: &Response<'_>, code: String) -> Decision {
    let after = response.retry_after.filter(|pause| !pause.is_zero());
    let who = if after.is_some() {
        Who::Datastream
    } else {
        Who::Request
    };
    Decision::Retry(Retry { after, who, code })
}

fn refuse(blame: Blame, code: String, shape: &RequestShape, problem: Problem) -> Decision {
    let refused = Refused {
        code,
        title: problem.title,
        detail: problem.detail,
        blame,
    };
    if shape.events > 1 {
        return Decision::Split(Split::Events, refused);
    }
    Decision::Park(refused)
}

fn too_large(code: String, shape: &RequestShape, problem: Problem) -> Decision {
    let max = problem.max_size();
    let mut refused = Refused {
        code,
        title: problem.title,
        detail: problem.detail,
        blame: Blame::Event,
    };
    if shape.events > 1 {
        return Decision::Split(Split::Bytes { max }, refused);
    }
    refused.code = "too_large".to_owned();
    Decision::Park(refused)
}

fn accepted(response: &Response<'_>, shape: &RequestShape, problem: &Problem) -> Accepted {
    let mut accepted = Accepted::default();
    if !problem.understood {
        accepted.anomaly = Some("the body of a yes was not JSON");
    }
    for remark in &problem.remarks {
        if remark.code.starts_with(codes::CONSENT) {
            match remark.event {
                Some(event) if event < shape.events => accepted.suppressed.push(event),
                Some(_) => accepted.anomaly = Some("a remark named an event that was not sent"),
                None => accepted.suppressed.extend(0..shape.events),
            }
            continue;
        }
        let note = format!("{} {}", remark.code, remark.title).trim().to_owned();
        accepted.notes.push((remark.event.unwrap_or(0), note));
    }
    if response.status == 207 && problem.remarks.is_empty() {
        accepted.anomaly = Some("a partial yes named no event");
    }
    accepted.suppressed.sort_unstable();
    accepted.suppressed.dedup();
    accepted
}
