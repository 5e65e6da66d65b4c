//! The log of one sender: an outage as a start, occasional reminders and an end; a halt with its remedy; parked events.

use std::sync::Arc;

use crate::delivery::rules::{Accepted, Halt, name_website};
use crate::ops::outage_log::{LogRateLimit, OutageLine, OutageLog, Recovery};
use crate::ops::pause;
use crate::ops::sentence::event_key;
use crate::store::outbox::{EdgeAnswer, EventKey, FailureCode, SenderRow, SenderState};
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;

const PARKED_PER_MINUTE: u32 = 10;
const WARNINGS_PER_MINUTE: u32 = 10;
/// Duration from which a reminder is logged as an error instead of a warning.
const ERROR_AFTER_MS: i64 = 900_000;
/// Duration from which a pause has a line of its own.
const LONG_PAUSE_MS: i64 = 60_000;

/// An entry that an answer causes.
#[derive(Debug)]
pub(crate) enum LogEntry {
    /// A request failed and is sent again.
    Failure {
        code: String,
        cause: Option<String>,
        /// End of the pause that the answer asked for.
        pause: Option<UtcMillis>,
    },
    Halt(Halt),
    /// Requests are accepted, which ends an outage or a halt.
    Recovery,
    /// The edge accepted a request with warnings.
    Warnings(Accepted, EdgeAnswer),
    SmallerRequests {
        max_bytes: usize,
    },
}

#[derive(Debug)]
pub(crate) struct SenderLog {
    website: Arc<str>,
    outage: OutageLog,
    halt: OutageLog,
    /// Code and remedy of the halt that was logged.
    logged_halt: (String, &'static str),
    /// End of the pause that was logged last.
    logged_pause: UtcMillis,
    parked: LogRateLimit,
    warnings: LogRateLimit,
    /// A reminder that is due. It is logged with the backlog, which only the store has.
    reminder: Option<Reminder>,
}

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
            outage: OutageLog::default(),
            halt: OutageLog::default(),
            logged_halt: (String::new(), ""),
            logged_pause: UtcMillis::default(),
            parked: LogRateLimit::new(PARKED_PER_MINUTE),
            warnings: LogRateLimit::new(WARNINGS_PER_MINUTE),
            reminder: None,
        }
    }

    pub(crate) fn log(&mut self, entry: LogEntry, now: UtcMillis) {
        match entry {
            LogEntry::Failure { code, cause, pause } => self.log_failure(&code, cause, pause, now),
            LogEntry::Halt(halt) => self.log_halt(&halt, now),
            LogEntry::Recovery => self.log_recovery(now),
            LogEntry::Warnings(accepted, answer) => self.log_warnings(&accepted, &answer),
            LogEntry::SmallerRequests { max_bytes } => tracing::info!(
                website = &*self.website,
                max_bytes,
                "The edge accepts only smaller requests, batches are split"
            ),
        }
    }

    fn log_failure(&mut self, code: &str, cause: Option<String>, pause: Option<UtcMillis>, now: UtcMillis) {
        let line = self.outage.failed(now);
        if let Some(until) = pause.filter(|until| self.is_news(*until, now)) {
            return self.log_pause(code, until, now);
        }
        self.note_reminder(line, code, false);
        if line == Some(OutageLine::Start) {
            // The words of the edge may quote the request; only our own go into the log.
            let cause = cause.filter(|_| !FailureCode::parse(code).is_from_edge());
            tracing::warn!(
                log_code = "OF06-02",
                website = &*self.website,
                code,
                cause,
                "Delivery to the edge failed, the same events are retried with backoff",
            );
        }
    }

    /// Returns true for a long pause that ends clearly later than the one logged last.
    fn is_news(&self, until: UtcMillis, now: UtcMillis) -> bool {
        let last = self.logged_pause.max(now);
        until.millis_since(last) >= LONG_PAUSE_MS
    }

    fn log_pause(&mut self, code: &str, until: UtcMillis, now: UtcMillis) {
        self.logged_pause = until;
        let sentence = pause::sentence(code, until, now);
        tracing::warn!(
            log_code = "OF06-08",
            website = &*self.website,
            code,
            %until,
            "Delivery waits: {sentence}; `orderfeed delivery resume` does not shorten the pause",
        );
    }

    fn log_halt(&mut self, halt: &Halt, now: UtcMillis) {
        // The same code may have another cause: `tls` is the certificate of the edge or of the token service.
        if (self.logged_halt.0.as_str(), self.logged_halt.1) != (halt.code.as_str(), halt.remedy) {
            self.halt = OutageLog::default();
            self.logged_halt = (halt.code.clone(), halt.remedy);
        }
        let line = self.halt.failed(now);
        self.note_reminder(line, &halt.code, true);
        if line == Some(OutageLine::Start) {
            tracing::error!(
                log_code = "OF06-01",
                website = &*self.website,
                code = halt.code,
                reason = halt.reason,
                remedy = name_website(halt.remedy, &self.website),
                "Delivery halted, events wait; a probe resumes it when the cause is fixed",
            );
        }
    }

    fn log_recovery(&mut self, now: UtcMillis) {
        for (log, message) in [
            (&mut self.outage, "Delivery recovered"),
            (&mut self.halt, "Delivery resumed after a halt"),
        ] {
            if let Some(Recovery { failures, lasted_ms }) = log.recovered(now) {
                tracing::info!(website = &*self.website, failures, lasted_ms, "{message}");
            }
        }
        // The same halt is news when it occurs again.
        self.logged_halt.0.clear();
    }

    fn log_warnings(&mut self, accepted: &Accepted, answer: &EdgeAnswer) {
        let Some(left_out) = self.warnings.admit(answer.at) else {
            return;
        };
        tracing::warn!(
            log_code = "OF06-05",
            website = &*self.website,
            status = answer.status,
            request_id = answer.request_id,
            suppressed = accepted.suppressed.len(),
            notes = accepted.warnings.len(),
            first_note = accepted.warnings.first().map(|(_, warning)| warning.as_str()),
            anomaly = accepted.anomaly,
            left_out,
            "The edge accepted events with warnings; they are not sent again",
        );
    }

    /// Logs that an operator paused or resumed delivery.
    pub(crate) fn log_operator_state(&self, row: &SenderRow) {
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

    pub(crate) fn log_parked(&mut self, key: EventKey, code: &str, number: Option<&str>, now: UtcMillis) {
        let Some(left_out) = self.parked.admit(now) else {
            return;
        };
        let kind = EventKind::from_code(key.kind).map_or("unknown", EventKind::as_str);
        // The order may have been removed from the feed.
        let order = number.map_or_else(|| format!("entity {}", key.order), str::to_owned);
        let show = format!("orderfeed failed show {}", event_key(key));
        tracing::warn!(
            log_code = "OF06-04",
            website = &*self.website,
            order,
            kind,
            code,
            show,
            left_out,
            "Event parked, the edge refuses it; delivery of the others continues",
        );
    }

    pub(crate) fn take_reminder(&mut self) -> Option<Reminder> {
        self.reminder.take()
    }

    pub(crate) fn log_reminder(
        &self,
        reminder: &Reminder,
        pending_events: u64,
        next_try: UtcMillis,
        now: UtcMillis,
    ) {
        let (website, code, since) = (&*self.website, &reminder.code, reminder.since);
        let (halted, failures) = (reminder.halted, reminder.failures);
        // The level of a tracing event is fixed at compile time, hence twice.
        if now.millis_since(since) >= ERROR_AFTER_MS {
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

    fn note_reminder(&mut self, line: Option<OutageLine>, code: &str, halted: bool) {
        if let Some(OutageLine::Reminder { failures, since }) = line {
            self.reminder = Some(Reminder {
                halted,
                code: code.to_owned(),
                failures,
                since,
            });
        }
    }
}
