//! The table of the response rules: the rule for each code and status, and the sentences of each halt.

use crate::delivery::http::problem::Problem;
use crate::delivery::rules::decision::Halt;

/// The warning that an event was ignored for lack of consent. The status at the end of its code varies.
pub(super) const CONSENT: &str = "EXEG-0301";

/// Attempts after which a failure that the input may have caused is treated as caused by it.
pub(super) const BOUNDED_ATTEMPTS: u32 = 8;

/// The rule for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Too many requests: the whole organization waits, because the quota is its own.
    Throttled,
    /// The edge is temporarily unable.
    Retry,
    /// The same, but the input may be the cause: [`BOUNDED_ATTEMPTS`] attempts at most.
    RetryBounded,
    /// A server error; the edge or the input may be the cause.
    Server,
    /// An event is at fault.
    Refuse,
    /// An event may be at fault.
    Unknown,
    /// The body has too many bytes.
    TooLarge,
    /// The token is at fault.
    Reauthenticate,
    /// No event is at fault, and waiting does not help.
    Halt(HaltCause),
}

/// The causes of halts. Each has its remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HaltCause {
    Datastream,
    Sandbox,
    Request,
    Permission,
    Token,
    Geography,
    Redirect,
    Endpoint,
}

pub(super) const CODES: &[(&str, Rule)] = &[
    ("EXEG-0000-503", Rule::Retry),
    ("EXEG-0001-500", Rule::Server),
    ("EXEG-0002-400", Rule::Halt(HaltCause::Datastream)),
    ("EXEG-0003-400", Rule::Halt(HaltCause::Datastream)),
    ("EXEG-0004-422", Rule::Halt(HaltCause::Datastream)),
    ("EXEG-0010-422", Rule::Halt(HaltCause::Datastream)),
    ("EXEG-0011-422", Rule::Halt(HaltCause::Sandbox)),
    ("EXEG-0012-422", Rule::Halt(HaltCause::Sandbox)),
    ("EXEG-0013-422", Rule::Halt(HaltCause::Sandbox)),
    ("EXEG-0100-500", Rule::Refuse),
    ("EXEG-0101-400", Rule::Refuse),
    ("EXEG-0102-400", Rule::Refuse),
    ("EXEG-0103-400", Rule::Refuse),
    ("EXEG-0104-422", Rule::Refuse),
    ("EXEG-0105-400", Rule::Refuse),
    ("EXEG-0106-400", Rule::Halt(HaltCause::Request)),
    ("EXEG-0107-400", Rule::Halt(HaltCause::Request)),
    ("EXEG-0108-400", Rule::Halt(HaltCause::Request)),
    ("EXEG-0109-408", Rule::Refuse),
    ("EXEG-0110-400", Rule::Halt(HaltCause::Request)),
    ("EXEG-0111-415", Rule::Halt(HaltCause::Request)),
    ("EXEG-0112-413", Rule::TooLarge),
    ("EXEG-0113-400", Rule::Halt(HaltCause::Request)),
    ("EXEG-0200-504", Rule::Retry),
    ("EXEG-0201-503", Rule::Retry),
    ("EXEG-0202-502", Rule::RetryBounded),
    ("EXEG-0203-502", Rule::Retry),
    ("EXEG-0205-502", Rule::Retry),
    ("EXEG-0300-502", Rule::Retry),
    ("EXEG-0302-409", Rule::Refuse),
    ("EXEG-0304-400", Rule::Refuse),
    ("EXEG-0305-400", Rule::Refuse),
    ("EXEG-0306-400", Rule::Refuse),
    ("EXEG-0307-502", Rule::Retry),
    ("EXEG-0308-400", Rule::Refuse),
    ("EXEG-0400-403", Rule::Halt(HaltCause::Geography)),
    ("EXEG-0500-401", Rule::Reauthenticate),
    ("EXEG-0501-401", Rule::Halt(HaltCause::Token)),
    ("EXEG-0502-401", Rule::Reauthenticate),
    ("EXEG-0503-401", Rule::Reauthenticate),
    ("EXEG-0504-401", Rule::Halt(HaltCause::Permission)),
    ("EXEG-0505-401", Rule::Halt(HaltCause::Permission)),
    ("EXEG-0506-401", Rule::Halt(HaltCause::Permission)),
];

/// Returns the rule for a code; `None` if Adobe does not document the code.
pub(super) fn rule_for_code(code: &str) -> Option<Rule> {
    CODES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, rule)| *rule)
}

/// Returns the rule for an answer without a documented code.
pub(super) fn rule_for_status(status: u16) -> Rule {
    match status {
        // These can only be about the address or the connection. No event can be at fault, and parking events one by
        // one would hide the cause.
        300..=399 => Rule::Halt(HaltCause::Redirect),
        404 | 405 | 407 | 410 | 421 => Rule::Halt(HaltCause::Endpoint),
        401 => Rule::Reauthenticate,
        403 => Rule::Halt(HaltCause::Permission),
        415 => Rule::Halt(HaltCause::Request),
        408 | 425 => Rule::Retry,
        413 => Rule::TooLarge,
        429 => Rule::Throttled,
        400..=499 => Rule::Unknown,
        502 | 503 | 504 | 507 => Rule::Retry,
        _ => Rule::Server,
    }
}

/// Returns the halt for a cause, with the title of the answer.
pub(super) fn halt_of(cause: HaltCause, code: String, problem: &Problem) -> Halt {
    let (reason, remedy) = sentences(cause);
    Halt {
        code: match cause {
            HaltCause::Redirect => "redirect".to_owned(),
            _ => code,
        },
        reason: match problem.title.is_empty() {
            true => reason.to_owned(),
            false => format!("{reason}: {}", problem.title),
        },
        remedy,
        inferred: false,
    }
}

/// Returns reason and remedy.
fn sentences(cause: HaltCause) -> (&'static str, &'static str) {
    match cause {
        HaltCause::Datastream => (
            "the edge does not accept the datastream",
            "check websites.CODE.datastream_id and that the datastream is enabled at Adobe",
        ),
        HaltCause::Sandbox => (
            "the edge cannot resolve the datastream's sandbox or identity namespaces",
            "check the datastream's sandbox and that the identity namespaces exist in it",
        ),
        HaltCause::Request => (
            "the edge does not accept the form of the request",
            "check edge.url; if it is correct, report this as a bug",
        ),
        HaltCause::Permission => (
            "the edge denies permission",
            "check services_connector.organization_id, the scopes, and that the client's product profile has the \
             datastream's sandbox and Manage Datasets",
        ),
        HaltCause::Token => (
            "the edge does not accept the access token",
            "check edge.auth, edge.oauth.client_id and its secret",
        ),
        HaltCause::Geography => (
            "the edge refuses the location of this network",
            "send from a permitted country, or ask Adobe",
        ),
        HaltCause::Redirect => (
            "the edge redirects; redirects are never followed, because that would pass the token on",
            "set edge.url to the new address, or check for a proxy in between",
        ),
        HaltCause::Endpoint => (
            "this address has no collect endpoint",
            "check edge.url and proxies in between",
        ),
    }
}
