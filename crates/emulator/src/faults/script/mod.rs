//! The fault script: what the next requests shall meet instead of, or beside, an honest answer.
//!
//! A request takes the first step in the list that fits it. A step without a `match` fits every data request, so a list
//! of such steps is a queue; a step with a `match` waits for its request and holds nobody else up.

use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize};

use crate::edge::problem;
use orderfeed_model::clock::UtcMillis;

/// One step of the script. At least one of its effects must be given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultStep {
    /// Answer with this status. Any 1xx–5xx number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Answer with this `EXEG` code as problem+json: `NNNN` or `NNNN-SSS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// `Retry-After`, word for word: seconds, a date, or nonsense.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub retry_after: Option<String>,
    /// `Retry-After` as a date, so many seconds after the request came; HTTP's dates have whole seconds, so the pause is up
    /// to one shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_date_s: Option<u32>,
    /// The body, word for word; `plain` means the status's own phrase as text/plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body's content type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctype: Option<String>,
    /// Entries of `errors[]`; without a status the answer is 207.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ScriptedEntry>,
    /// Entries of `warnings[]`; without a status the answer is 200.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ScriptedEntry>,
    /// Whether the request is processed and recorded before the scripted answer; by default only with a 2xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<bool>,
    /// Wait this long, in milliseconds of real time; before recording, or after it where `record` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hang_ms: Option<u64>,
    /// Close the connection instead of answering.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close: Option<CloseAt>,
    /// Send the answer's body at this many bytes a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_bps: Option<u64>,
    /// Spoil the next TLS handshake (not the next request).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFault>,
    /// Answer with this redirect status and `to` as the location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<u16>,
    /// Where a redirect points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Let every token that was issued so far expire first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub token_expire_now: bool,
    /// Encode the answer with gzip.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gzip: bool,
    /// Answer with a body of this many bytes of filler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// How many requests meet this step; 1 if absent, 0 = every one until a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Which requests it waits for.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub only: Option<Match>,
}

/// An entry of `errors[]` or `warnings[]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedEntry {
    /// `NNNN-SSS`.
    pub code: String,
    /// Which event of the request; left out of the answer if absent.
    #[serde(rename = "eventIndex", default, skip_serializing_if = "Option::is_none")]
    pub event_index: Option<usize>,
}

/// When a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseAt {
    /// After the request's head, before its body is read.
    BeforeRead,
    /// After the events are recorded: the client cannot know that they are.
    AfterRecord,
    /// In the middle of the answer's body.
    MidResponse,
}

impl CloseAt {
    fn label(self) -> &'static str {
        match self {
            Self::BeforeRead => "close:before_read",
            Self::AfterRecord => "close:after_record",
            Self::MidResponse => "close:mid_response",
        }
    }
}

/// What may be wrong with a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// A certificate that the emulator's authority did not sign.
    BadCert,
}

/// What a request must have for a step to fit; everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// Part of the path. A path that names `/ims/` makes the step fit token requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The body holds this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains_id: Option<String>,
    /// The body has at least this many bytes.
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
    /// The status of the scripted answer; `None` leaves the honest answer in place.
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

    /// The `Retry-After` of the answer to a request that came at `received_at`.
    pub(crate) fn retry_after(&self, received_at: UtcMillis) -> Option<String> {
        let date = |seconds: u32| received_at.plus_millis(i64::from(seconds) * 1000).http_date();
        self.retry_after
            .clone()
            .or_else(|| self.retry_after_date_s.map(date))
    }

    /// Whether the request is processed although the answer is scripted.
    pub(crate) fn records(&self) -> bool {
        self.record.unwrap_or_else(|| {
            self.scripted_status()
                .is_none_or(|status| (200..300).contains(&status))
        })
    }

    /// A short name for the ledger.
    pub(crate) fn label(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.close.map(|at| at.label().to_owned()));
        parts.extend(self.hang_ms.map(|_| "hang".to_owned()));
        parts.extend(self.slow_bps.map(|_| "slow".to_owned()));
        parts.extend(self.scripted_status().map(|status| status.to_string()));
        parts.extend(self.token_expire_now.then(|| "token_expire_now".to_owned()));
        parts.extend(self.gzip.then(|| "gzip".to_owned()));
        parts.join(",")
    }

    fn check(&self) -> Result<(), String> {
        let idle = self.scripted_status().is_none()
            && self.close.is_none()
            && self.hang_ms.is_none()
            && self.slow_bps.is_none()
            && self.tls.is_none()
            && !self.token_expire_now
            && !self.gzip;
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

/// What is known of a request when a step is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Sighting<'a> {
    /// The path, without the query.
    pub(crate) path: &'a str,
    /// The body, once it has been read.
    pub(crate) body: Option<&'a [u8]>,
}

/// What the script has for a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Pick {
    /// This step.
    Step(Box<FaultStep>),
    /// It depends on the body.
    NeedsBody,
    /// Nothing.
    Nothing,
}

/// The steps still to come.
#[derive(Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<FaultStep>,
}

impl Script {
    /// Appends steps; all or none. `has_tls` says whether a handshake could be spoiled at all.
    pub(crate) fn push(&mut self, steps: Vec<FaultStep>, tls: TlsOffer) -> Result<usize, String> {
        for (index, step) in steps.iter().enumerate() {
            step.check().map_err(|why| format!("step {index}: {why}"))?;
            if step.tls.is_some() && tls == TlsOffer::Absent {
                return Err(format!(
                    "step {index}: a tls step needs an emulator that was started with TLS"
                ));
            }
        }
        self.steps.extend(steps);
        Ok(self.steps.len())
    }

    /// What is left.
    pub(crate) fn steps(&self) -> Vec<FaultStep> {
        self.steps.iter().cloned().collect()
    }

    /// Forgets all steps.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
    }

    /// Takes the first step that fits.
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

    /// Takes the next step that is meant for a TLS handshake.
    pub(crate) fn pick_tls(&mut self) -> Option<TlsFault> {
        let index = self.steps.iter().position(|step| step.tls.is_some())?;
        self.take(index)?.tls
    }

    /// Whether a handshake is to be spoiled: connections must then not be kept alive.
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

/// Whether handshakes happen at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TlsOffer {
    /// The data listeners speak HTTPS.
    Present,
    /// They speak HTTP.
    Absent,
}

/// Whether a step fits; `None` if the body decides and is not read yet.
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
