//! What a sender says in the log: failure in three lines, a halt with its remedy, each dead letter (within reason).

use std::sync::Arc;

use crate::delivery::rules::{Accepted, Halt};
use crate::ops::outage_log::{LogRateLimit, OutageLine, OutageLog};
use crate::store::outbox::{EdgeAnswer, EventKey, SenderRow, SenderState};
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;

const PARKED_PER_MINUTE: u32 = 10;
const REMARKS_PER_MINUTE: u32 = 10;
/// Trouble that lasts so long is an error, no longer a warning.
const ALARMING_MS: i64 = 900_000;

/// Words for any website, as words for this one.
pub(crate) fn about(website: &str, words: &str) -> String {
    words.replace("websites.CODE", &format!("websites.{website}"))
}

/// The voice of one sender.
#[derive(Debug)]
pub(crate) struct SenderLog {
    website: Arc<str>,
    trouble: OutageLog,
    halt: OutageLog,
    /// The halt that was announced: another one is news.
    halt_code: String,
    halt_remedy: &'static str,
    parked: LogRateLimit,
    remarks: LogRateLimit,
    /// A "still failing" that wants the backlog, which only the store knows.
    repeat: Option<Reminder>,
}

/// A "still failing" that is due.
#[derive(Debug)]
pub(crate) struct Reminder {
    halted: bool,
    code: String,
    failures: u64,
    since: UtcMillis,
}

impl SenderLog {
    pub(crate) fn new(website: Arc<str>) -> Self {
        Self {
            website,
            trouble: OutageLog::default(),
            halt: OutageLog::default(),
            halt_code: String::new(),
            halt_remedy: "",
            parked: LogRateLimit::new(PARKED_PER_MINUTE),
            remarks: LogRateLimit::new(REMARKS_PER_MINUTE),
            repeat: None,
        }
    }

    /// A request failed and will be repeated.
    pub(crate) fn log_failure(&mut self, code: &str, cause: Option<&str>, now: UtcMillis) {
        let line = self.trouble.failed(now);
        self.still(line, code, false);
        if line == Some(OutageLine::Start) {
            // A peer's own words may quote the request; only what we wrote ourselves goes into the log.
            let cause = cause.filter(|_| !code.starts_with("EXEG") && !code.starts_with("http_"));
            tracing::warn!(
                log_code = "OF06-02",
                website = &*self.website,
                code,
                cause,
                "Delivery to the edge failed, the same events are sent again with growing pauses",
            );
        }
    }

    /// Nothing gets through.
    pub(crate) fn log_halt(&mut self, halt: &Halt, now: UtcMillis) {
        // The same code may be another trouble: the certificate of the edge or of the token service.
        if (self.halt_code.as_str(), self.halt_remedy) != (halt.code.as_str(), halt.remedy) {
            self.halt = OutageLog::default();
            self.halt_code.clone_from(&halt.code);
            self.halt_remedy = halt.remedy;
        }
        let line = self.halt.failed(now);
        self.still(line, &halt.code, true);
        if line == Some(OutageLine::Start) {
            tracing::error!(
                log_code = "OF06-01",
                website = &*self.website,
                code = halt.code,
                reason = halt.reason,
                remedy = about(&self.website, halt.remedy),
                "Delivery halted, events wait; a probe now and then resumes it by itself",
            );
        }
    }

    /// Something got through.
    pub(crate) fn log_recovery(&mut self, now: UtcMillis) {
        for (voice, what) in [
            (&mut self.trouble, "Delivery recovered"),
            (&mut self.halt, "Delivery resumed after a halt"),
        ] {
            if let Some(OutageLine::Recovery { failures, lasted_ms }) = voice.recovered(now) {
                tracing::info!(website = &*self.website, failures, lasted_ms, "{what}");
            }
        }
        self.halt_code.clear();
    }

    /// An operator paused or resumed it.
    pub(crate) fn log_operator_action(&mut self, row: &SenderRow) {
        let website = &*self.website;
        match row.state {
            SenderState::Paused => tracing::info!(
                website,
                reason = row.reason,
                "Delivery paused by an operator, events wait"
            ),
            _ => tracing::info!(website, "Delivery resumed by an operator"),
        }
    }

    /// A dead letter.
    pub(crate) fn log_parked(&mut self, key: EventKey, code: &str, number: Option<&str>, now: UtcMillis) {
        let Some(left_out) = self.parked.admit(now) else {
            return;
        };
        let kind = EventKind::from_code(key.kind).map_or("unknown", EventKind::as_str);
        let order = number.map_or_else(|| format!("entity {}", key.order), str::to_owned);
        let show = format!("orderfeed failed show {}:{kind}:{}", key.order, key.document);
        tracing::warn!(
            log_code = "OF06-04",
            website = &*self.website,
            order,
            kind,
            code,
            show,
            left_out,
            "Event parked, the edge refuses it; the others go on",
        );
    }

    /// The edge said yes, and something else.
    pub(crate) fn log_warnings(&mut self, accepted: &Accepted, answer: &EdgeAnswer) {
        let Some(left_out) = self.remarks.admit(answer.at) else {
            return;
        };
        tracing::warn!(
            log_code = "OF06-05",
            website = &*self.website,
            status = answer.status,
            request_id = answer.request_id,
            suppressed = accepted.suppressed.len(),
            notes = accepted.warnings.len(),
            first_note = accepted.warnings.first().map(|(_, note)| note.as_str()),
            anomaly = accepted.anomaly,
            left_out,
            "The edge accepted events with remarks; they are not sent again",
        );
    }

    /// A repeat that is due and wants to know the backlog.
    pub(crate) fn take_reminder(&mut self) -> Option<Reminder> {
        self.repeat.take()
    }

    /// It still fails.
    pub(crate) fn log_reminder(
        &self,
        repeat: &Reminder,
        pending_events: u64,
        next_try: UtcMillis,
        now: UtcMillis,
    ) {
        let (website, code, since) = (&*self.website, &repeat.code, repeat.since);
        let (halted, failures) = (repeat.halted, repeat.failures);
        if now.millis_since(since) >= ALARMING_MS {
            tracing::error!(
                log_code = "OF06-03",
                website, code, halted, failures, %since, pending_events, %next_try,
                "Delivery still fails",
            );
        } else {
            tracing::warn!(
                log_code = "OF06-03",
                website, code, halted, failures, %since, pending_events, %next_try,
                "Delivery still fails",
            );
        }
    }

    fn still(&mut self, line: Option<OutageLine>, code: &str, halted: bool) {
        if let Some(OutageLine::Reminder { failures, since }) = line {
            self.repeat = Some(Reminder {
                halted,
                code: code.to_owned(),
                failures,
                since,
            });
        }
    }
}
