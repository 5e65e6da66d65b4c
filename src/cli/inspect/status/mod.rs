//! `status`: prints the snapshot of [`crate::ops::status`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;

use crate::cli::context::{Context, view};
use crate::cli::exit::Exit;
use crate::cli::index::indexer::{mode_word, status_word};
use crate::cli::output;
use crate::cli::output::address::{addressed, addressed_json};
use crate::cli::output::table::visible;
use crate::cli::output::watch::{Frames, watch};
use crate::first_sync::report::SyncReport;
use crate::ops::sentence;
use crate::ops::sentence::{human_bytes, human_duration};
use crate::ops::status::problem::{Severity, StatusProblem};
use crate::ops::status::{BackfillStatus, ExportStatus, Moment, Snapshot, WebsiteStatus};
use crate::store::intake::{Flow, Shortage};
use crate::store::outbox::SenderState;
use crate::store::views::TITLE;
use orderfeed_model::clock::UtcMillis;

#[derive(Clone, Copy, Debug, Default, Args)]
pub struct StatusArgs {
    /// Print a JSON object for scripts; its `version` numbers the shape
    #[arg(long)]
    pub json: bool,
    /// Repeat every SECONDS until Ctrl-C: repaints a terminal, appends to a pipe; with --json one object per line
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = seconds)]
    pub watch: Option<Duration>,
}

/// Most problems that are shown.
const SHOWN_PROBLEMS: usize = 5;
/// Shorter pauses would load the store's disk without being readable.
const SHORTEST_PAUSE: f64 = 0.1;
const LONGEST_PAUSE: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected seconds from {SHORTEST_PAUSE} to {LONGEST_PAUSE}");
    let seconds: f64 = text.parse().map_err(|_| expected())?;
    // A range refuses NaN, too.
    match (SHORTEST_PAUSE..=LONGEST_PAUSE).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err(expected()),
    }
}

pub async fn run(context: &Context, args: StatusArgs) -> anyhow::Result<Exit> {
    let config = context.config_without_secrets()?;
    let take = || -> anyhow::Result<Snapshot> {
        let now = context.clock.now();
        // Opened for each frame, because `restore` replaces the file.
        Ok(view(&config)?.read(|reader| Snapshot::read(reader, &config, now))?)
    };
    let shop = context.addressee();
    match (args.watch, args.json) {
        (None, as_json) => {
            let snapshot = take()?;
            output::result_for(shop.as_ref(), as_json, &snapshot, || render(&snapshot))?;
        }
        (Some(pause), true) => {
            // Not indented, so that a script can read it line by line.
            let line = || {
                Ok(addressed_json(
                    shop.as_ref(),
                    serde_json::to_string(&take()?)? + "\n",
                ))
            };
            watch(Frames::Lines, pause, line).await?;
        }
        (Some(pause), false) => {
            let block = || {
                let snapshot = take()?;
                let taken_at = snapshot.taken_at.0;
                let text = addressed(shop.as_ref(), render(&snapshot));
                Ok(format!("{:<16} {taken_at}\n{text}", "Taken at"))
            };
            watch(Frames::of_text(), pause, block).await?;
        }
    }
    Ok(Exit::Ok)
}

fn render(snapshot: &Snapshot) -> String {
    let mut block = StatusText {
        text: String::new(),
        now: snapshot.taken_at.0,
    };
    block.problems(&snapshot.problems);
    block.daemon(snapshot);
    block.index(snapshot);
    block.intake(snapshot);
    for sync in &snapshot.first_syncs {
        block.first_sync(sync);
    }
    for backfill in &snapshot.backfills {
        block.backfill(backfill);
    }
    for website in &snapshot.websites {
        block.website(website);
    }
    if snapshot.websites.is_empty() {
        block.put("Websites", "no events yet");
    }
    for website in &snapshot.storefront {
        let state = if website.on { "on" } else { "off" };
        block.put(
            &format!("Storefront {}", website.website),
            &format!("{state}: {}", website.reason),
        );
    }
    block.export(snapshot);
    block.rest(snapshot);
    block.text
}

struct StatusText {
    text: String,
    now: UtcMillis,
}

impl StatusText {
    fn put(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "{name:<16} {}", visible(value));
    }

    fn age(&self, at: Moment) -> String {
        human_duration(self.now.millis_since(at.0))
    }

    /// Adds the problems, the most severe first.
    fn problems(&mut self, problems: &[StatusProblem]) {
        if problems.is_empty() {
            self.text.push_str("All is well\n");
        }
        let (shown, others) = problems.split_at(SHOWN_PROBLEMS.min(problems.len()));
        for problem in shown {
            let severity = match problem.severity {
                Severity::Problem => "PROBLEM",
                Severity::Warning => "Warning",
            };
            let subject = problem.subject.as_ref();
            let subject = subject.map_or_else(String::new, |subject| format!("{subject}: "));
            self.put(severity, &format!("{subject}{}", problem.message));
            self.put("  remedy", &problem.remedy);
        }
        if !others.is_empty() {
            let more = format!("{} more; `orderfeed doctor` shows all", others.len());
            self.put("  and", &more);
        }
    }

    fn daemon(&mut self, snapshot: &Snapshot) {
        let daemon = &snapshot.daemon;
        let command = daemon.command.as_deref().unwrap_or("another process");
        let state = match (daemon.running, daemon.pid) {
            (false, _) => "not running; start it with `systemctl start orderfeed`".to_owned(),
            (true, Some(pid)) => format!("running: {command} (process {pid})"),
            (true, None) => format!("running: {command}"),
        };
        self.put("Daemon", &state);
    }

    fn index(&mut self, snapshot: &Snapshot) {
        let index = &snapshot.index;
        let (status, mode) = (status_word(index.status), mode_word(index.mode));
        let view = index.view_status.as_str();
        self.put("Index", &format!("{TITLE}: {status}, {mode}, {view}"));
        let backlog = match index.oldest_change_at {
            None => "all indexed".to_owned(),
            Some(at) => format!(
                "{} in backlog, oldest {} ago",
                sentence::count(index.backlog, "order"),
                self.age(at)
            ),
        };
        let changelog = format!("version {} of {}; {backlog}", index.version, index.head);
        self.put("Changelog", &changelog);
        if snapshot.index_failures > 0 {
            let failures = sentence::count(snapshot.index_failures, "order");
            self.put("Index failures", &format!("{failures}, retried automatically"));
        }
        for reason in &snapshot.not_exported {
            self.put(
                "Not exported",
                &format!(
                    "{}: {}",
                    sentence::count(reason.orders, "order"),
                    reason.why.as_sentence()
                ),
            );
        }
    }

    fn intake(&mut self, snapshot: &Snapshot) {
        let what = match snapshot.intake.flow {
            Some(Flow::HistoryWaits) => "the outbox is full: history waits, live changes continue",
            Some(Flow::Paused(Shortage::Outbox)) => {
                "PAUSED: the outbox holds twice delivery.max_pending_events; resumes when the edge accepts events"
            }
            Some(Flow::Paused(Shortage::Disk)) => {
                "PAUSED: the disk is nearly full; free space on the disk of store.path, or lower store.disk_reserve"
            }
            Some(Flow::Open) | None => return,
        };
        let since = snapshot.intake.since;
        let since = since.map_or_else(String::new, |at| format!(" (for {})", self.age(at)));
        self.put("Intake", &format!("{what}{since}"));
    }

    /// Adds the state of a first sync, unless it was completed more than an hour ago.
    fn first_sync(&mut self, sync: &SyncReport) {
        const SHOWN_FOR_MS: i64 = 3_600_000;
        let completed = sync.completed_at.map(|at| at.0);
        if completed.is_some_and(|at| self.now.millis_since(at) > SHOWN_FOR_MS) {
            return;
        }
        let name = format!("First sync {}", sync.website);
        let sizes = format!(
            "{}/{} orders, {}/{} events sent",
            sync.done_orders, sync.total_orders, sync.sent_events, sync.events
        );
        if let Some(at) = sync.interrupted_at {
            let age = self.age(at);
            let reason = "the website is switched off; resumes when it is enabled";
            return self.put(&name, &format!("interrupted for {age}: {reason} ({sizes})"));
        }
        let took = completed.map(|at| human_duration(at.millis_since(sync.started_at.0)));
        let window = match (&took, sync.missed) {
            (Some(took), false) => format!("; took {took}, within the window"),
            (Some(took), true) => format!("; took {took}, missed the window"),
            (None, true) => format!("; WINDOW MISSED at {}", sync.deadline.0),
            (None, false) => {
                let left = human_duration(sync.deadline.0.millis_since(self.now));
                format!("; window ends in {left}")
            }
        };
        let limit = match &sync.limited_by {
            // It matters only while the sync runs.
            Some(limit) if took.is_none() => format!(", limited by {}", limit.replace('_', " ")),
            _ => String::new(),
        };
        let (state, left) = (sync.state.as_str().replace('_', " "), left(sync.eta_ms));
        self.put(&name, &format!("{state}: {sizes}{left}{window}{limit}"));
    }

    fn backfill(&mut self, backfill: &BackfillStatus) {
        let percent = match backfill.total {
            0 => String::new(),
            total => format!(" ({} %)", backfill.done.min(total) * 100 / total),
        };
        let left = left(backfill.remaining_ms);
        let (kind, done, total, events) = (&backfill.kind, backfill.done, backfill.total, backfill.events);
        let since = self.age(backfill.started_at);
        let line = format!("{kind}: {done}/{total} orders{percent}, {events} events, for {since}{left}");
        self.put("Running", &line);
    }

    fn website(&mut self, website: &WebsiteStatus) {
        let sender = &website.sender;
        let state = match sender.state {
            // A sender without events is running, too.
            SenderState::Running if !website.exporting => "switched off or not configured",
            SenderState::Running => "sending",
            SenderState::BackingOff => "backing off",
            SenderState::Halted => "HALTED",
            SenderState::Paused => "paused",
        };
        self.put(&format!("Website {}", website.code), state);
        if sender.state != SenderState::Running {
            let since = sender
                .since
                .map_or_else(String::new, |at| format!(" for {}", self.age(at)));
            let failures = match sender.failures {
                0 => String::new(),
                failures => format!(", {failures} failures in a row"),
            };
            let until = sender
                .until
                .map_or_else(String::new, |at| format!(", next attempt {}", at.0));
            self.put(
                "  reason",
                &format!("{} ({}){since}{failures}{until}", sender.reason, sender.code),
            );
            self.put("  remedy", &sender.remedy);
        }
        let pending = &website.pending;
        let oldest = pending
            .oldest_change_at
            .map_or_else(String::new, |at| format!("; oldest {} ago", self.age(at)));
        self.put(
            "  pending",
            &format!("{} live, {} history{oldest}", pending.live, pending.history),
        );
        if let Some(due) = pending.dated_ahead_until {
            let text = format!(
                "{} of these, from {} on: correct their dates in Commerce, or its clock",
                pending.dated_ahead, due.0
            );
            self.put("  in future", &text);
        }
        self.put("  delivered", &by_kind(&website.delivered));
        if !website.suppressed.is_empty() {
            self.put("  suppressed", &by_kind(&website.suppressed));
        }
        if !website.parked.is_empty() {
            let see = format!("see `orderfeed failed list --website {}`", website.code);
            self.put("  parked", &format!("{}; {see}", by_kind(&website.parked)));
        }
    }

    fn export(&mut self, snapshot: &Snapshot) {
        let websites = snapshot.websites.iter().map(|website| &website.export_status);
        let sum = |count: fn(&ExportStatus) -> u64| websites.clone().map(count).sum::<u64>();
        // Commerce's words for the state of what it exports.
        let line = format!(
            "Submitted: {}; Awaiting submission: {}; Failed, will retry: {}; Failed, requires attention: {}",
            sum(|export| export.submitted),
            sum(|export| export.awaiting_submission),
            sum(|export| export.failed_will_retry),
            sum(|export| export.failed_requires_attention)
        );
        self.put("Export status", &line);
    }

    fn rest(&mut self, snapshot: &Snapshot) {
        let source = match snapshot.source.checked_at {
            Some(at) => format!("polled {} ago", self.age(at)),
            None if snapshot.source.cursors.is_empty() => "never polled".to_owned(),
            None => format!("{} cursors stored", snapshot.source.cursors.len()),
        };
        let source = match snapshot.source.requests_per_minute {
            Some(requests) => format!("{source}; {requests} requests to the shop in a minute"),
            None => source,
        };
        let source = match &snapshot.source.failure {
            Some(failure) => format!("cannot be read for {}; {source}", self.age(failure.since)),
            None => source,
        };
        self.put("Source", &source);
        for late in &snapshot.source.late_tables {
            self.put("Late table", late);
        }
        for run in &snapshot.cron {
            let age = self.age(run.finished_at.unwrap_or(run.scheduled_at));
            let message = match run.message.as_str() {
                "" => String::new(),
                message => format!(": {message}"),
            };
            self.put(
                "Last run",
                &format!("{}: {}, {age} ago{message}", run.job, run.status.as_str()),
            );
        }
        let store = &snapshot.store;
        let (size, wal) = (human_bytes(store.database_bytes), human_bytes(store.wal_bytes));
        self.put(
            "Store",
            &format!("{} ({size}, write-ahead log {wal})", store.path.display()),
        );
    }
}

fn left(millis: Option<i64>) -> String {
    let left = millis.map(|millis| format!(", about {} left", human_duration(millis)));
    left.unwrap_or_default()
}

/// Formats counts by kind: `12 (placed 10, invoiced 2)`.
fn by_kind(counts: &BTreeMap<String, u64>) -> String {
    let sum: u64 = counts.values().sum();
    if counts.is_empty() {
        return sum.to_string();
    }
    let kinds: Vec<String> = counts
        .iter()
        .map(|(kind, events)| format!("{kind} {events}"))
        .collect();
    format!("{sum} ({})", kinds.join(", "))
}

#[cfg(test)]
mod tests;
