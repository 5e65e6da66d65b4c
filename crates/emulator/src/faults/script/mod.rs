//! The fault script: steps that replace or modify the answers to the next requests.
//!
//! A request takes the first step that matches it. A step without `match` matches every data request, so a list of such
//! steps is a queue. A step with `match` waits for its request and does not delay others.

use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize};

use crate::edge::problem;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::words;

/// A step of the script. At least one effect must be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultStep {
    /// Answers with this status, 100 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Answers with this `EXEG` code as problem+json: `NNNN` or `NNNN-SSS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Value of `Retry-After`, verbatim: seconds, a date, or invalid text.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub retry_after: Option<String>,
    /// `Retry-After` as a date, this many seconds after the request arrived. HTTP dates have whole seconds, so the pause is
    /// up to one second shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_date_s: Option<u32>,
    /// Body of the answer, verbatim. `plain` stands for the status's own phrase as text/plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Content type of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctype: Option<String>,
    /// Entries of `errors[]`; without a status the answer is 207.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ScriptedEntry>,
    /// Entries of `warnings[]`; without a status the answer is 200.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ScriptedEntry>,
    /// Processes and records the request before the scripted answer. By default only for a 2xx answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<bool>,
    /// Waits this many milliseconds of real time: before recording, or after it if `record` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hang_ms: Option<u64>,
    /// Closes the connection instead of answering.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close: Option<CloseAt>,
    /// Sends the body of the answer at this many bytes per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_bps: Option<u64>,
    /// Breaks the next TLS handshake, not the next request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFault>,
    /// Answers with this redirect status, and `to` as the location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<u16>,
    /// Target of the redirect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Expires every issued token first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub token_expire_now: bool,
    /// Encodes the answer with gzip.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gzip: bool,
    /// Leaves out the headers that let a page on another origin read the answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_cors: bool,
    /// Answers with a body of this many filler bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// Number of requests that take this step. Absent: 1; 0: every request until a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Restricts the step to matching requests.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub only: Option<Match>,
}

/// An entry of `errors[]` or `warnings[]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedEntry {
    pub code: String,
    /// Index of the event in the request. Omitted from the answer if absent.
    #[serde(rename = "eventIndex", default, skip_serializing_if = "Option::is_none")]
    pub event_index: Option<usize>,
}

words! {
    /// The moment at which a connection is closed.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum CloseAt {
        /// After the request head, before the body is read.
        BeforeRead = "before_read",
        /// After the events are recorded. The client cannot know that they are.
        AfterRecord = "after_record",
        /// In the middle of the answer's body.
        MidResponse = "mid_response",
    }
}

/// A fault of a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// The certificate is not signed by the emulator's authority.
    BadCert,
}

/// Conditions on a request. All that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// Part of the path. `/ims/` matches token requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Text that the body contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains_id: Option<String>,
    /// Smallest body, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_bytes: Option<u64>,
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(i64),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        Some(Either::Text(text)) => Some(text),
        Some(Either::Number(number)) => Some(number.to_string()),
        None => None,
    })
}

impl FaultStep {
    /// Returns the status of the scripted answer, or `None` if the regular answer stays.
    pub(crate) fn scripted_status(&self) -> Option<u16> {
        let named = || Some(problem::lookup(self.code.as_deref()?)?.status());
        let implied = || match self {
            _ if !self.errors.is_empty() => Some(207),
            _ if !self.warnings.is_empty() => Some(200),
            _ if self.retry_after.is_some() || self.retry_after_date_s.is_some() => Some(429),
            _ if self.body.is_some() || self.body_bytes.is_some() => Some(503),
            _ => None,
        };
        self.status.or(self.redirect).or_else(named).or_else(implied)
    }

    /// Returns the `Retry-After` of the answer to a request received at `received_at`.
    pub(crate) fn retry_after(&self, received_at: UtcMillis) -> Option<String> {
        let date = |seconds: u32| received_at.plus_millis(i64::from(seconds) * 1000).http_date();
        self.retry_after
            .clone()
            .or_else(|| self.retry_after_date_s.map(date))
    }

    /// Returns true if the request is processed although its answer is scripted.
    pub(crate) fn records(&self) -> bool {
        self.record.unwrap_or_else(|| {
            self.scripted_status()
                .is_none_or(|status| (200..300).contains(&status))
        })
    }

    /// Returns a short name for the ledger.
    pub(crate) fn label(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.close.map(|at| format!("close:{at}")));
        parts.extend(self.hang_ms.map(|_| "hang".to_owned()));
        parts.extend(self.slow_bps.map(|_| "slow".to_owned()));
        parts.extend(self.scripted_status().map(|status| status.to_string()));
        parts.extend(self.token_expire_now.then(|| "token_expire_now".to_owned()));
        parts.extend(self.gzip.then(|| "gzip".to_owned()));
        parts.extend(self.no_cors.then(|| "no_cors".to_owned()));
        parts.join(",")
    }

    fn check(&self) -> Result<(), String> {
        let idle = self.scripted_status().is_none()
            && self.close.is_none()
            && self.hang_ms.is_none()
            && self.slow_bps.is_none()
            && self.tls.is_none()
            && !self.token_expire_now
            && !self.gzip
            && !self.no_cors;
        if let Some(code) = &self.code
            && problem::lookup(code).is_none()
        {
            return Err(format!(
                "code {code:?} is not in the edge's list; give NNNN or NNNN-SSS, e.g. 0000-503"
            ));
        }
        if self
            .scripted_status()
            .is_some_and(|status| !(200..600).contains(&status))
        {
            return Err("a scripted status must lie between 200 and 599".to_owned());
        }
        if self.redirect.is_some() && self.to.is_none() {
            return Err("a redirect needs `to`".to_owned());
        }
        if self.slow_bps == Some(0) {
            return Err("slow_bps must be at least 1".to_owned());
        }
        if idle {
            return Err("the step has no effect; see the script reference".to_owned());
        }
        Ok(())
    }
}

/// The part of a request that steps match against.
#[derive(Clone, Copy)]
pub(crate) struct Sighting<'a> {
    /// Path without the query.
    pub(crate) path: &'a str,
    /// `None` until the body has been read.
    pub(crate) body: Option<&'a [u8]>,
}

/// The result of [`Script::pick`].
#[derive(Debug, PartialEq)]
pub(crate) enum Pick {
    Step(Box<FaultStep>),
    /// The body decides, and has not been read.
    NeedsBody,
    Nothing,
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<FaultStep>,
}

impl Script {
    /// Appends all steps, or none if one is invalid. Steps about TLS are valid only if the listeners have it.
    pub(crate) fn push(&mut self, steps: Vec<FaultStep>, has_tls: bool) -> Result<usize, String> {
        for (index, step) in steps.iter().enumerate() {
            step.check().map_err(|why| format!("step {index}: {why}"))?;
            if step.tls.is_some() && !has_tls {
                return Err(format!(
                    "step {index}: a tls step needs an emulator that was started with TLS"
                ));
            }
        }
        self.steps.extend(steps);
        Ok(self.steps.len())
    }

    pub(crate) fn steps(&self) -> Vec<FaultStep> {
        self.steps.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.steps.clear();
    }

    /// Takes the first step that matches.
    pub(crate) fn pick(&mut self, seen: Sighting<'_>) -> Pick {
        for index in 0..self.steps.len() {
            match fits(&self.steps[index], seen) {
                Some(true) => {
                    return self
                        .take(index)
                        .map_or(Pick::Nothing, |step| Pick::Step(Box::new(step)));
                }
                Some(false) => {}
                None => return Pick::NeedsBody,
            }
        }
        Pick::Nothing
    }

    /// Takes the next step for a TLS handshake.
    pub(crate) fn pick_tls(&mut self) -> Option<TlsFault> {
        let index = self.steps.iter().position(|step| step.tls.is_some())?;
        self.take(index)?.tls
    }

    /// Returns true if a step waits for a TLS handshake. Connections must then not be kept alive.
    pub(crate) fn awaits_handshake(&self) -> bool {
        self.steps.iter().any(|step| step.tls.is_some())
    }

    fn take(&mut self, index: usize) -> Option<FaultStep> {
        let step = self.steps.get_mut(index)?;
        match step.times {
            Some(0) => Some(step.clone()),
            Some(left) if left > 1 => {
                step.times = Some(left - 1);
                Some(step.clone())
            }
            _ => self.steps.remove(index),
        }
    }
}

/// Returns true if a step matches, or `None` if that depends on a body that has not been read.
fn fits(step: &FaultStep, seen: Sighting<'_>) -> Option<bool> {
    if step.tls.is_some() {
        return Some(false);
    }
    let is_token = seen.path.starts_with("/ims/");
    let Some(only) = &step.only else {
        return Some(!is_token);
    };
    let path_fits = match &only.path {
        Some(part) => seen.path.contains(part.as_str()) && (!is_token || part.contains("/ims")),
        None => !is_token,
    };
    if !path_fits {
        return Some(false);
    }
    if only.contains_id.is_none() && only.min_bytes.is_none() {
        return Some(true);
    }
    let body = seen.body?;
    let long_enough = only.min_bytes.is_none_or(|min| body.len() as u64 >= min);
    let holds = only
        .contains_id
        .as_ref()
        .is_none_or(|id| contains(body, id.as_bytes()));
    Some(long_enough && holds)
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    part.is_empty() || body.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests;
