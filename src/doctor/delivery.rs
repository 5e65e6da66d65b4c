//! Checks of the delivery of each website, on the snapshot that `status` shows.

use crate::doctor::check::Check;
use crate::doctor::finding::Finding;
use crate::doctor::index::{STUCK_MS, of_lag};
use crate::ops::sentence::human_duration;
use crate::ops::status::{Snapshot, WebsiteStatus};
use crate::store::outbox::SenderState;

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
    let mut findings = Vec::new();
    for website in &websites {
        findings.push(sender(website, facts.snapshot).about(website.code.clone()));
        findings.push(lag(website, facts.snapshot).about(website.code.clone()));
        findings.extend(parked(website, facts).map(|finding| finding.about(website.code.clone())));
        findings.extend(switched_off(website).map(|finding| finding.about(website.code.clone())));
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

fn sender(website: &WebsiteStatus, snapshot: &Snapshot) -> Finding {
    let (check, sender) = (Check::Sender, &website.sender);
    let lasts = sender
        .since
        .map_or(0, |since| snapshot.taken_at.0.millis_since(since.0));
    let since = human_duration(lasts);
    let reason = format!("{} ({})", sender.reason, sender.code);
    let waiting = website.pending.live + website.pending.history;
    match sender.state {
        SenderState::Running => check.ok("nothing blocks its events"),
        SenderState::Halted => check.problem(format!("delivery is halted for {since}: {reason}; {waiting} events wait"),
            format!(
                "fix what the reason names; a change in the configuration takes effect with `systemctl reload orderfeed`, a \
                 change at Adobe with `orderfeed delivery resume --website {}`; `orderfeed test-connection --website {}` \
                 tests it",
                website.code, website.code
            ),
        ),
        SenderState::Paused => {
            let message = format!("delivery was paused by an operator {since} ago; {waiting} events wait");
            let remedy = format!("orderfeed delivery resume --website {}", website.code);
            // A pause is intended, unless it was forgotten while events wait.
            check.warning_or_problem(lasts > STUCK_MS && waiting > 0, message, remedy)
        }
        SenderState::BackingOff => {
            let (message, remedy) = match sender.pause {
                Some(_) => (
                    format!("delivery waits: {reason}; {waiting} events wait"),
                    sender.remedy.as_str(),
                ),
                None => (
                    format!(
                        "delivery has failed for {since}, {} times in a row: {reason}; {waiting} events wait",
                        sender.failures
                    ),
                    "nothing, it retries by itself; if it lasts, see edge.address, the network, and Adobe's status page",
                ),
            };
            check.warning_or_problem(lasts > STUCK_MS, message, remedy)
        }
    }
}

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
    // A backfill may take its time, and a website that is off has a finding of its own.
    if pending.live == 0 || !website.exporting {
        return check.note(message);
    }
    let remedy = "see delivery.sender, delivery.website and daemon.running";
    of_lag(check, waits, message, remedy)
}

fn parked(website: &WebsiteStatus, facts: &DeliveryFacts<'_>) -> Option<Finding> {
    let count: u64 = website.parked.values().sum();
    if count == 0 {
        return None;
    }
    let example = facts.parked.iter().find(|parked| parked.website == website.code);
    let (why, show) = example.map_or_else(
        || (String::new(), "orderfeed failed list".to_owned()),
        |parked| {
            let why = format!(
                "; the oldest is {}: {} ({})",
                parked.key, parked.title, parked.code
            );
            (why, format!("orderfeed failed show {}", parked.key))
        },
    );
    Some(Check::Parked.problem(format!("{count} events were refused for good and need a decision{why}"),
        format!(
            "`{show}` shows the reason; fix it, then `orderfeed failed retry --website {}`, or `failed discard`",
            website.code
        ),
    ))
}

fn switched_off(website: &WebsiteStatus) -> Option<Finding> {
    let counted = website
        .delivered
        .values()
        .chain(website.suppressed.values())
        .chain(website.parked.values());
    let had_events = website.pending.live + website.pending.history + counted.sum::<u64>() > 0;
    // A website that never had an event may be off on purpose; `source.websites` reports it if it has orders.
    if website.exporting || !had_events {
        return None;
    }
    let code = &website.code;
    let waiting = website.pending.live + website.pending.history;
    let message = format!(
        "its back-office events are switched off, or it is not configured; {waiting} earlier events wait, and there are \
         no new ones"
    );
    let remedy = format!(
        "if that is not intended: set websites.{code}.back_office_events = true (and its datastream_id), then `systemctl \
         reload orderfeed`; events of the meantime follow"
    );
    Some(Check::SwitchedOff.warning(message, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict::{self, Ok as Fine, Problem, Warning};
    use crate::ops::status::testing::{snapshot, website};
    use crate::ops::status::{Moment, Pending};
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
