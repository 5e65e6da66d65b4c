//! The response rules: one pure function over one table decides about each answer of the edge. `docs/DELIVERY.md` prints
//! the table for operators.
//!
//! The code in the body decides first and the status second: `EXEG-0109-408` means "empty request" and must never be
//! retried, while a bare 408 is a timeout. Codes and their meanings are Adobe's (troubleshooting page of the data
//! collection APIs); the reaction to each is our choice.

mod codes;
mod decision;

#[cfg(test)]
mod tests;

use crate::delivery::http::problem::Problem;
use crate::delivery::rules::codes::{BOUNDED_ATTEMPTS, CONSENT, HaltCause, Rule};
use crate::delivery::rules::codes::{halt_of, rule_for_code, rule_for_status};
pub(crate) use crate::delivery::rules::decision::name_website;
pub use crate::delivery::rules::decision::{
    Accepted, Blame, Decision, EdgeRefusal, Halt, RequestShape, Response, RetryLater, RetryScope, Split,
};
use crate::store::outbox::FailureCode;

/// Decides about an answer to a request.
pub fn classify(response: &Response<'_>, shape: &RequestShape) -> Decision {
    let problem = Problem::parse(response.body);
    let status = decisive_status(response.status, &problem);
    if (200..300).contains(&status) {
        return Decision::Delivered(accepted(response, shape, &problem));
    }
    let rule = problem.code.as_deref().and_then(rule_for_code);
    let rule = rule.unwrap_or_else(|| rule_for_status(status));
    apply(rule, status, response, shape, problem)
}

/// Returns the status that decides about an answer: its own, but for a 2xx with an error object as its body that of the
/// error. Such an answer does not accept anything.
pub(crate) fn decisive_status(status: u16, problem: &Problem) -> u16 {
    match status {
        200..300 => problem.error_status().unwrap_or(status),
        _ => status,
    }
}

fn apply(
    rule: Rule,
    status: u16,
    response: &Response<'_>,
    shape: &RequestShape,
    problem: Problem,
) -> Decision {
    let code = problem.code.clone();
    let code = code.unwrap_or_else(|| FailureCode::Http(status).to_string());
    // A `Retry-After` of 0 asks for no pause.
    let after = response.retry_after.filter(|pause| !pause.is_zero());
    let retry = |scope, code| Decision::Retry(RetryLater { after, scope, code });
    match rule {
        Rule::Throttled => retry(RetryScope::Organization, code),
        Rule::RetryBounded if shape.attempts >= BOUNDED_ATTEMPTS => {
            refuse(Blame::Server, code, shape, problem)
        }
        // The edge asks every client to wait, not just this request.
        Rule::Retry | Rule::RetryBounded if after.is_some() => retry(RetryScope::Datastream, code),
        Rule::Retry | Rule::RetryBounded => retry(RetryScope::Request, code),
        Rule::Server if shape.failed_before => refuse(Blame::Server, code, shape, problem),
        Rule::Server => retry(RetryScope::RequestSlow, code),
        Rule::Refuse => refuse(Blame::Event, code, shape, problem),
        Rule::Unknown => refuse(Blame::Unknown, code, shape, problem),
        Rule::TooLarge if shape.events > 1 => {
            let max = problem.max_size();
            Decision::Split(Split::Bytes { max }, refusal(Blame::Event, code, problem))
        }
        Rule::TooLarge => Decision::Park(refusal(Blame::Event, "too_large".to_owned(), problem)),
        Rule::Reauthenticate => Decision::Reauthenticate(halt_of(HaltCause::Token, code, &problem)),
        Rule::Halt(cause) => Decision::Halt(halt_of(cause, code, &problem)),
    }
}

fn refuse(blame: Blame, code: String, shape: &RequestShape, problem: Problem) -> Decision {
    let refusal = refusal(blame, code, problem);
    match shape.events > 1 {
        true => Decision::Split(Split::Events, refusal),
        false => Decision::Park(refusal),
    }
}

fn refusal(blame: Blame, code: String, problem: Problem) -> EdgeRefusal {
    EdgeRefusal {
        code,
        title: problem.title,
        detail: problem.detail,
        blame,
    }
}

fn accepted(response: &Response<'_>, shape: &RequestShape, problem: &Problem) -> Accepted {
    let mut accepted = Accepted::default();
    if !problem.understood {
        accepted.anomaly = Some("the body of an accepted request was not JSON");
    }
    for found in &problem.event_problems {
        if found.code.starts_with(CONSENT) {
            match found.event {
                Some(event) if event < shape.events => accepted.suppressed.push(event),
                Some(_) => accepted.anomaly = Some("a warning named an event that was not sent"),
                None => accepted.suppressed.extend(0..shape.events),
            }
            continue;
        }
        let warning = format!("{} {}", found.code, found.title).trim().to_owned();
        accepted.warnings.push((found.event.unwrap_or(0), warning));
    }
    if response.status == 207 && problem.event_problems.is_empty() {
        accepted.anomaly = Some("a partial success named no event");
    }
    accepted.suppressed.sort_unstable();
    accepted.suppressed.dedup();
    accepted
}
