//! `/`: one sentence about the whole, then each website.

use std::collections::BTreeMap;

use askama::Template;

use crate::first_sync::report::SyncReport;
use crate::ops::sentence::{count, human_duration};
use crate::ops::status::problem::{Severity, StatusProblem};
use crate::ops::status::{Moment, Snapshot, WebsiteStatus};
use crate::store::outbox::SenderState;
use crate::store::traffic::Accepted;
use crate::web::parts::{Bar, Piece, Spark, Stamp, link, pieces};
use crate::web::traffic::Traffic;
use crate::web::troubles::{link_of, target};
use crate::web::{Frame, rendered};

/// Time for which a complete first sync stays on the page, in milliseconds.
const SHOWN_AFTER_MS: i64 = 3_600_000;

/// The data of the page.
pub struct Overview<'a> {
    pub snapshot: &'a Snapshot,
    pub traffic: &'a Traffic,
    /// The last accepted request of each website, by code.
    pub accepted: &'a BTreeMap<String, Accepted>,
    /// Codes of the websites in the configuration.
    pub configured: Vec<String>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewTemplate<'a> {
    frame: &'a Frame,
    snapshot: &'a Snapshot,
    state: State<'a>,
    cards: Vec<Card<'a>>,
}

impl OverviewTemplate<'_> {
    fn orders(&self, number: &u64) -> String {
        count(*number, "order")
    }
}

/// The first sentence, with the problems behind it.
struct State<'a> {
    tone: &'static str,
    sentence: String,
    first: Option<Trouble<'a>>,
    others: Vec<Trouble<'a>>,
}

struct Trouble<'a> {
    problem: &'a StatusProblem,
    since: Option<Stamp>,
    remedy: Vec<Piece>,
    link: String,
    /// The name of the page behind the link.
    target: &'static str,
}

/// One website.
struct Card<'a> {
    code: &'a str,
    tone: &'static str,
    word: &'static str,
    status: Option<&'a WebsiteStatus>,
    /// Steps that end a blockage.
    remedy: Vec<Piece>,
    accepted: Option<(Stamp, &'a Accepted)>,
    since: Option<Stamp>,
    oldest: Option<Stamp>,
    rate: String,
    spark: Spark,
    parked: u64,
    sync: Option<Sync<'a>>,
}

/// A first sync with its bar.
struct Sync<'a> {
    report: &'a SyncReport,
    bar: Bar,
    sentence: String,
}

/// Renders the page.
pub fn overview_page(frame: &Frame, data: &Overview<'_>) -> String {
    let snapshot = data.snapshot;
    let known = snapshot.websites.iter().map(|website| website.code.as_str());
    let mut codes: Vec<&str> = known.chain(data.configured.iter().map(String::as_str)).collect();
    codes.sort_unstable();
    codes.dedup();
    rendered(OverviewTemplate {
        frame,
        snapshot,
        state: state(snapshot),
        cards: codes.into_iter().map(|code| card(code, data)).collect(),
    })
}

fn state(snapshot: &Snapshot) -> State<'_> {
    let now = snapshot.taken_at;
    let mut troubles = snapshot.problems.iter().map(|problem| Trouble {
        problem,
        since: problem.since.map(|at| age(at, now)),
        remedy: pieces(&problem.remedy),
        link: link_of(problem),
        target: target(problem.kind),
    });
    let first = troubles.next();
    let (tone, sentence) = match &first {
        None => ("good", "All is well.".to_owned()),
        Some(trouble) => {
            let subject = trouble.problem.subject.as_ref();
            let subject = subject.map_or_else(String::new, |subject| format!("{subject}: "));
            let tone = match trouble.problem.severity {
                Severity::Problem => "bad",
                Severity::Warning => "warn",
            };
            (tone, format!("{subject}{}", trouble.problem.message))
        }
    };
    State {
        tone,
        sentence,
        first,
        others: troubles.collect(),
    }
}

fn age(at: Moment, now: Moment) -> Stamp {
    Stamp::age(at.0, now.0)
}

fn card<'a>(code: &'a str, data: &'a Overview<'_>) -> Card<'a> {
    let snapshot = data.snapshot;
    let now = snapshot.taken_at;
    let status = snapshot.websites.iter().find(|website| website.code == code);
    let (tone, word) = status.map_or(("", "no events yet"), word_of);
    let traffic = data.traffic.websites.get(code);
    let accepted = data.accepted.get(code);
    let sync = snapshot.first_syncs.iter().find(|sync| sync.website == code);
    Card {
        code,
        tone,
        word,
        status,
        remedy: status.map_or_else(Vec::new, |status| pieces(&status.sender.remedy)),
        accepted: accepted.map(|accepted| (Stamp::age(accepted.at, now.0), accepted)),
        since: status
            .and_then(|status| status.sender.since)
            .map(|at| age(at, now)),
        oldest: status
            .and_then(|status| status.pending.oldest_change_at)
            .map(|at| age(at, now)),
        rate: traffic.map_or_else(|| "0".to_owned(), |traffic| rate(traffic.rate())),
        spark: Spark(traffic.map_or_else(Vec::new, |traffic| traffic.delivered.clone())),
        parked: status.map_or(0, |status| status.parked.values().sum()),
        sync: sync
            .filter(|sync| is_recent(sync, now))
            .map(|sync| shown(sync, now)),
    }
}

/// Returns the tone and the word of a sender's state.
fn word_of(website: &WebsiteStatus) -> (&'static str, &'static str) {
    match website.sender.state {
        SenderState::Running if !website.exporting => ("", "switched off or not configured"),
        SenderState::Running => ("good", "sending"),
        SenderState::BackingOff => ("warn", "backing off"),
        SenderState::Halted => ("bad", "halted"),
        SenderState::Paused => ("warn", "paused"),
    }
}

fn rate(events: f64) -> String {
    match events >= 10.0 || events == 0.0 {
        true => format!("{events:.0}"),
        false => format!("{events:.1}"),
    }
}

fn is_recent(sync: &SyncReport, now: Moment) -> bool {
    sync.completed_at
        .is_none_or(|at| now.0.millis_since(at.0) < SHOWN_AFTER_MS)
}

fn shown(report: &SyncReport, now: Moment) -> Sync<'_> {
    // Reading and sending overlap: the bar covers both halves of the work.
    let read = share(report.done_orders, report.total_orders);
    let sent = share(report.sent_events, report.events);
    let done = match report.completed_at {
        Some(_) => 1.0,
        None => read / 2.0 + read * sent / 2.0,
    };
    Sync {
        report,
        bar: Bar(done),
        sentence: sentence(report, now),
    }
}

fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        _ => part.min(whole) as f64 / whole as f64,
    }
}

/// Returns the time that is left or was needed, and the limiting factor.
fn sentence(report: &SyncReport, now: Moment) -> String {
    if let Some(at) = report.completed_at {
        let took = human_duration(at.0.millis_since(report.started_at.0));
        let window = if report.missed {
            "missed the window"
        } else {
            "within the window"
        };
        return format!("complete; took {took}, {window}");
    }
    if report.interrupted_at.is_some() {
        return "interrupted: the website is switched off; resumes when it is enabled".to_owned();
    }
    let left = report.eta_ms.map(human_duration);
    let left = left.map_or_else(
        || "time left is not known yet".to_owned(),
        |left| format!("about {left} left"),
    );
    let window = match report.missed {
        true => "; the window was missed".to_owned(),
        false => format!(
            "; window ends in {}",
            human_duration(report.deadline.0.millis_since(now.0))
        ),
    };
    let limit = report.limited_by.as_deref();
    let limit = limit.map_or_else(String::new, |limit| {
        format!("; limited by {}", limit.replace('_', " "))
    });
    format!("{left}{window}{limit}")
}

impl Card<'_> {
    fn failed_link(&self) -> String {
        link("/failed", &[("website", self.code)])
    }

    /// Returns true if no event of the website's orders is made.
    fn is_off(&self) -> bool {
        let off = |status: &WebsiteStatus| !status.exporting && status.sender.state == SenderState::Running;
        self.status.is_some_and(off)
    }

    fn connector_link(&self) -> String {
        link("/connector", &[("website", self.code)])
    }

    /// Returns true if the sender does not send, for a reason that the card gives.
    fn is_blocked(&self) -> bool {
        self.status
            .is_some_and(|status| status.sender.state != SenderState::Running)
    }

    fn is_paused(&self) -> bool {
        self.status
            .is_some_and(|status| status.sender.state == SenderState::Paused)
    }

    /// Returns the rest of `orderfeed delivery` for this card's button.
    fn switch(&self) -> &'static str {
        match self.status.map(|status| status.sender.state) {
            Some(SenderState::Running | SenderState::BackingOff) => "pause",
            _ => "resume",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::status::problem::ProblemKind;
    use crate::ops::status::testing::{first_sync, snapshot, website};
    use crate::web::testing::{HOSTILE, frame, operator};
    use orderfeed_model::clock::UtcMillis;

    fn page(frame: &Frame, snapshot: &Snapshot) -> String {
        let accepted = Accepted {
            at: UtcMillis(4_000),
            status: Some(200),
            request_id: Some("b1d3".to_owned()),
        };
        let data = Overview {
            snapshot,
            traffic: &Traffic::default(),
            accepted: &BTreeMap::from([("base".to_owned(), accepted)]),
            configured: vec!["base".to_owned(), HOSTILE.to_owned()],
        };
        overview_page(frame, &data)
    }

    fn problem(kind: ProblemKind) -> StatusProblem {
        StatusProblem {
            kind,
            severity: Severity::Problem,
            subject: Some("base".to_owned()),
            message: "delivery is halted: the edge does not accept the datastream".to_owned(),
            since: Some(Moment(UtcMillis(3_000))),
            remedy: "check websites.base.datastream_id".to_owned(),
        }
    }

    #[test]
    fn a_new_installation_is_explained() {
        insta::assert_snapshot!(page(&frame("/"), &snapshot()));
    }

    #[test]
    fn the_first_problem_is_the_first_sentence() {
        let mut troubled = snapshot();
        troubled.websites = vec![website("base")];
        troubled.first_syncs = vec![first_sync("base")];
        troubled.problems = vec![
            problem(ProblemKind::DeliveryHalted),
            problem(ProblemKind::EventsParked),
        ];
        insta::assert_snapshot!(page(&operator("/"), &troubled));
    }

    #[test]
    fn a_website_that_is_off_can_be_connected() {
        let mut off = snapshot();
        off.websites = vec![WebsiteStatus {
            exporting: false,
            ..website("base")
        }];
        off.websites[0].sender.state = SenderState::Running;
        let page = page(&operator("/"), &off);
        assert!(page.contains("Connect this website") && !page.contains("/actions/delivery"));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn an_anonymous_viewer_gets_no_button() {
        let mut sending = snapshot();
        sending.websites = vec![website("base")];
        let anonymous = page(&frame("/"), &sending);
        assert!(!anonymous.contains("/actions/"));
        insta::assert_snapshot!(anonymous);
        assert!(page(&operator("/"), &sending).contains("/actions/delivery-resume"));
    }

    #[test]
    fn every_kind_of_problem_has_a_page() {
        for kind in [ProblemKind::EventsParked, ProblemKind::WebsiteOff] {
            assert!(link_of(&problem(kind)).ends_with("?website=base"));
        }
        assert_eq!(link_of(&problem(ProblemKind::JobStopped)), "/schedules");
    }

    #[test]
    fn half_of_the_bar_is_reading() {
        let bar = |done_orders, sent_events| {
            let report = SyncReport {
                done_orders,
                sent_events,
                ..first_sync("base")
            };
            shown(&report, Moment(UtcMillis(2_000))).bar.0
        };
        assert_eq!(
            [bar(0, 0), bar(400, 0), bar(400, 450), bar(400, 900)],
            [0.0, 0.5, 0.75, 1.0]
        );
    }
}
