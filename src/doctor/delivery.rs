//! Checks of the delivery of each website, on the snapshot that `status` shows.

use crate::doctor::check::Check;
use crate::doctor::finding::Finding;
use crate::ops::sentence::human_duration;
use crate::ops::status::problem::{ProblemKind, SLOW_MS, StatusProblem};
use crate::ops::status::{Snapshot, WebsiteStatus};

/// A parked event, as far as findings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedExample {
    pub website: String,
    /// As `failed show` takes it.
    pub key: String,
    pub code: String,
    /// The edge's title, without its detail, which may quote the event.
    pub title: String,
}

#[derive(Clone, Debug)]
pub struct DeliveryFacts<'a> {
    pub snapshot: &'a Snapshot,
    /// The oldest parked events.
    pub parked: Vec<ParkedExample>,
    /// Restricts the checks to this website.
    pub only: Option<&'a str>,
}

pub fn verdict(facts: &DeliveryFacts<'_>) -> Vec<Finding> {
    let chosen = |website: &&WebsiteStatus| facts.only.is_none_or(|only| website.code == only);
    let websites: Vec<_> = facts.snapshot.websites.iter().filter(chosen).collect();
    let problems = facts.snapshot.find_problems();
    let mut findings = Vec::new();
    for website in &websites {
        let own = problems
            .iter()
            .filter(|problem| problem.subject.as_ref() == Some(&website.code));
        let own: Vec<Finding> = own.filter_map(|problem| finding(problem, facts)).collect();
        let without_problems = [
            Check::Sender.ok("nothing blocks its events"),
            lag(website, facts.snapshot),
        ];
        let fine = without_problems
            .into_iter()
            .filter(|fine| own.iter().all(|finding| finding.check != fine.check));
        findings.extend(fine.map(|finding| finding.about(&website.code)));
        findings.extend(own);
    }
    if websites.is_empty() {
        findings.push(Check::Sender.note("no website has had an event yet"));
    }
    let all_fine = [
        (Check::Parked, "no event needs a decision"),
        (Check::SwitchedOff, "every website with events is switched on"),
    ];
    for (check, message) in all_fine {
        if findings.iter().all(|finding| finding.check != check) {
            findings.push(check.ok(message));
        }
    }
    findings
}

fn finding(problem: &StatusProblem, facts: &DeliveryFacts<'_>) -> Option<Finding> {
    let check = match problem.kind {
        ProblemKind::DeliveryHalted | ProblemKind::DeliveryFailing | ProblemKind::DeliveryPaused => {
            Check::Sender
        }
        ProblemKind::EventsLate => Check::DeliveryLag,
        ProblemKind::EventsParked => return Some(parked(problem, facts)),
        ProblemKind::WebsiteOff => Check::SwitchedOff,
        _ => return None,
    };
    Some(Finding::of(check, problem))
}

/// Adds the oldest of the parked events.
fn parked(problem: &StatusProblem, facts: &DeliveryFacts<'_>) -> Finding {
    let mut finding = Finding::of(Check::Parked, problem);
    let is_same = |parked: &&ParkedExample| finding.subject.as_ref() == Some(&parked.website);
    if let Some(ParkedExample {
        website,
        key,
        code,
        title,
    }) = facts.parked.iter().find(is_same)
    {
        finding
            .message
            .push_str(&format!("; the oldest is {key}: {title} ({code})"));
        finding.remedy = Some(format!(
            "`orderfeed failed show {key}` shows the reason; fix it, then `orderfeed failed retry --website {website}`, or \
             `failed discard`"
        ));
    }
    finding
}

/// Describes the pending events of a website without a problem.
fn lag(website: &WebsiteStatus, snapshot: &Snapshot) -> Finding {
    let (check, pending) = (Check::DeliveryLag, &website.pending);
    let Some(oldest) = pending.oldest_change_at else {
        return check.ok("no event waits");
    };
    let waits = snapshot.taken_at.0.millis_since(oldest.0);
    let message = format!(
        "{} live and {} history events wait, the oldest for {}",
        pending.live,
        pending.history,
        human_duration(waits)
    );
    if pending.dated_ahead == pending.live + pending.history {
        return check.note(format!(
            "{message}; all of them are dated more than a day in the future"
        ));
    }
    match waits < SLOW_MS {
        true => check.ok(message),
        false => check.note(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict::{self, Ok as Fine, Problem, Warning};
    use crate::ops::status::problem::STUCK_MS;
    use crate::ops::status::testing::{snapshot, website};
    use crate::ops::status::{Moment, Pending};
    use crate::store::outbox::SenderState;
    use orderfeed_model::clock::UtcMillis;

    fn with(change: impl FnOnce(&mut WebsiteStatus)) -> Snapshot {
        let mut snapshot = snapshot();
        let mut base = website("base");
        change(&mut base);
        snapshot.websites = vec![base];
        snapshot
    }

    fn of(snapshot: &Snapshot, check: Check) -> Finding {
        let facts = DeliveryFacts {
            snapshot,
            parked: Vec::new(),
            only: None,
        };
        let mut findings = verdict(&facts).into_iter();
        findings.find(|finding| finding.check == check).unwrap()
    }

    fn sender_is(state: SenderState, since: i64) -> Verdict {
        let mut snapshot = with(|base| {
            base.sender.state = state;
            base.sender.since = Some(Moment(UtcMillis(1_000)));
        });
        snapshot.taken_at = Moment(UtcMillis(1_000 + since));
        of(&snapshot, Check::Sender).verdict
    }

    #[test]
    fn a_halt_is_a_problem_and_a_pause_becomes_one() {
        assert_eq!(sender_is(SenderState::Running, 0), Fine);
        assert_eq!(sender_is(SenderState::Halted, 0), Problem);
        assert_eq!(sender_is(SenderState::Paused, 0), Warning);
        assert_eq!(sender_is(SenderState::Paused, STUCK_MS + 1), Problem);
        assert_eq!(sender_is(SenderState::BackingOff, 0), Warning);
        assert_eq!(sender_is(SenderState::BackingOff, STUCK_MS + 1), Problem);
    }

    #[test]
    fn a_halt_names_reason_code_and_command() {
        let finding = of(&with(|_| {}), Check::Sender);
        assert!(
            finding.message.contains("EXEG-0003-400") && finding.message.contains("datastream"),
            "{finding:?}"
        );
        assert!(finding.remedy.unwrap().contains("--website base"));
        assert_eq!(finding.subject.as_deref(), Some("base"));
    }

    #[test]
    fn parked_events_and_websites_that_are_off_are_named() {
        let off = with(|base| base.exporting = false);
        assert_eq!(of(&off, Check::SwitchedOff).verdict, Warning);
        let never = with(|base| {
            base.exporting = false;
            base.pending = Pending {
                live: 0,
                history: 0,
                ..base.pending
            };
            base.delivered.clear();
            base.parked.clear();
        });
        assert_eq!(
            of(&never, Check::SwitchedOff).verdict,
            Fine,
            "it never had an event"
        );
        assert_eq!(of(&off, Check::Parked).verdict, Problem);
        let calm = with(|base| base.parked.clear());
        assert_eq!(of(&calm, Check::SwitchedOff).verdict, Fine);
        assert_eq!(of(&calm, Check::Parked).verdict, Fine);
    }
}
