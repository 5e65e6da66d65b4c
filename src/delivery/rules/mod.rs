//! What an answer of the edge means: one pure function over one table, which `docs/DELIVERY.md` prints for operators.
//!
//! The code in the body decides first and the status second: `EXEG-0109-408` means "empty request" and must never be
//! retried, while a bare 408 is a timeout. Codes and their meanings are Adobe's (troubleshooting page of the data
//! collection APIs); what we do about each is ours.

mod codes;
mod decision;

#[cfg(test)]
mod tests;

use crate::delivery::http::problem::Problem;
use crate::delivery::rules::codes::{Rule, halt_of, rule_for_code, rule_for_status};
pub use crate::delivery::rules::decision::{
    Accepted, Blame, Decision, EdgeRefusal, Halt, RequestShape, Response, Retry, RetryScope, Split,
};

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
            scope: RetryScope::Datastream,
            code,
        }),
        Rule::Retry => retry(response, code),
        Rule::RetryBounded if shape.attempts < codes::BOUNDED_ATTEMPTS => retry(response, code),
        Rule::RetryBounded => refuse(Blame::Server, code, shape, problem),
        Rule::Server if shape.failed_before => refuse(Blame::Server, code, shape, problem),
        Rule::Server => Decision::Retry(Retry {
            after: response.retry_after.filter(|pause| !pause.is_zero()),
            scope: RetryScope::RequestSlow,
            code,
        }),
        Rule::Refuse => refuse(Blame::Event, code, shape, problem),
        Rule::Unknown => refuse(Blame::Unknown, code, shape, problem),
        Rule::TooLarge => too_large(code, shape, problem),
        Rule::Reauthenticate => Decision::Reauthenticate(halt_of(codes::HaltCause::Token, code, &problem)),
        Rule::Halt(why) => Decision::Halt(halt_of(why, code, &problem)),
    }
}

/// A `Retry-After` that asks for a pause is meant for everyone; "0" is no pause.
fn retry(response: &Response<'_>, code: String) -> Decision {
    let after = response.retry_after.filter(|pause| !pause.is_zero());
    let scope = if after.is_some() {
        RetryScope::Datastream
    } else {
        RetryScope::Request
    };
    Decision::Retry(Retry { after, scope, code })
}

fn refuse(blame: Blame, code: String, shape: &RequestShape, problem: Problem) -> Decision {
    let refused = EdgeRefusal {
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
    let mut refused = EdgeRefusal {
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
    for problem in &problem.event_problems {
        if problem.code.starts_with(codes::CONSENT) {
            match problem.event {
                Some(event) if event < shape.events => accepted.suppressed.push(event),
                Some(_) => accepted.anomaly = Some("a problem named an event that was not sent"),
                None => accepted.suppressed.extend(0..shape.events),
            }
            continue;
        }
        let note = format!("{} {}", problem.code, problem.title).trim().to_owned();
        accepted.warnings.push((problem.event.unwrap_or(0), note));
    }
    if response.status == 207 && problem.event_problems.is_empty() {
        accepted.anomaly = Some("a partial yes named no event");
    }
    accepted.suppressed.sort_unstable();
    accepted.suppressed.dedup();
    accepted
}
