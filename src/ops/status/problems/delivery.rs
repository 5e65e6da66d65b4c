//! Problems of the delivery of each website.

use crate::ops::sentence::human_duration;
use crate::ops::status::problem::{ProblemKind, SLOW_MS, STUCK_MS, StatusProblem};
use crate::ops::status::{Snapshot, WebsiteStatus};
use crate::store::outbox::SenderState;

impl Snapshot {
    pub(super) fn of_website(&self, website: &WebsiteStatus) -> Vec<StatusProblem> {
        let problems = [
            self.sender_problem(website),
            parked(website),
            self.late_events(website),
            switched_off(website),
        ];
        let problems = problems.into_iter().flatten();
        problems.map(|problem| problem.about(&website.code)).collect()
    }

    fn sender_problem(&self, website: &WebsiteStatus) -> Option<StatusProblem> {
        let (code, sender) = (&website.code, &website.sender);
        let lasts = self.age(sender.since);
        let since = human_duration(lasts);
        let reason = format!("{} ({})", sender.reason, sender.code);
        let waiting = website.pending.live + website.pending.history;
        let problem = match sender.state {
            SenderState::Running => return None,
            SenderState::Halted => StatusProblem::new(
                ProblemKind::DeliveryHalted,
                format!("delivery is halted for {since}: {reason}; {waiting} events wait"),
                format!(
                    "fix what the reason names; a change in the configuration takes effect with `systemctl reload \
                     orderfeed`, a change at Adobe with `orderfeed delivery resume --website {code}`; `orderfeed \
                     test-connection --website {code}` tests it"
                ),
            ),
            SenderState::Paused => StatusProblem::new(
                ProblemKind::DeliveryPaused,
                format!("delivery was paused by an operator {since} ago; {waiting} events wait"),
                format!("orderfeed delivery resume --website {code}"),
            )
            // A pause is intended, unless it was forgotten while events wait.
            .serious_if(lasts > STUCK_MS && waiting > 0),
            // Asked for by the edge or the token service: not a failure.
            SenderState::BackingOff if sender.pause.is_some() => StatusProblem::new(
                ProblemKind::DeliveryFailing,
                format!("delivery waits: {reason}; {waiting} events wait"),
                sender.remedy.clone(),
            )
            .serious_if(lasts > STUCK_MS),
            SenderState::BackingOff => StatusProblem::new(
                ProblemKind::DeliveryFailing,
                format!(
                    "delivery has failed for {since}, {} times in a row: {reason}; {waiting} events wait",
                    sender.failures
                ),
                "nothing, it retries by itself; if it lasts, see edge.address, the network, and Adobe's status page",
            )
            .serious_if(lasts > STUCK_MS),
        };
        Some(problem.since(sender.since))
    }

    fn late_events(&self, website: &WebsiteStatus) -> Option<StatusProblem> {
        let (pending, waits) = (&website.pending, self.age(website.pending.oldest_change_at));
        // A backfill may take its time. A website that is off or does not send has a problem of its own.
        let is_explained = !website.exporting
            || website.sender.state != SenderState::Running
            || pending.dated_ahead == pending.live + pending.history;
        if pending.live == 0 || waits < SLOW_MS || is_explained {
            return None;
        }
        let message = format!(
            "{} live and {} history events wait, the oldest for {}",
            pending.live,
            pending.history,
            human_duration(waits)
        );
        let remedy = "see delivery.sender, delivery.website and daemon.running";
        let problem = StatusProblem::new(ProblemKind::EventsLate, message, remedy);
        Some(
            problem
                .since(pending.oldest_change_at)
                .serious_if(waits >= STUCK_MS),
        )
    }
}

fn parked(website: &WebsiteStatus) -> Option<StatusProblem> {
    let count: u64 = website.parked.values().sum();
    let message = match count {
        1 => "1 event was refused for good and needs a decision".to_owned(),
        _ => format!("{count} events were refused for good and need a decision"),
    };
    let remedy = format!(
        "`orderfeed failed list --website {code}` shows the reasons; fix them, then `orderfeed failed retry --website {code}`, \
         or `failed discard`",
        code = website.code
    );
    (count > 0).then(|| StatusProblem::new(ProblemKind::EventsParked, message, remedy))
}

fn switched_off(website: &WebsiteStatus) -> Option<StatusProblem> {
    let counts = [&website.delivered, &website.suppressed, &website.parked];
    let counted: u64 = counts.into_iter().flat_map(|kinds| kinds.values()).sum();
    let waiting = website.pending.live + website.pending.history;
    // A website that never had an event may be off on purpose; `source.websites` reports it if it has orders.
    if website.exporting || waiting + counted == 0 {
        return None;
    }
    let message = format!(
        "its back-office events are switched off, or it is not configured; {waiting} earlier events wait, and there are no new \
         ones"
    );
    let remedy = format!(
        "if that is not intended: set websites.{}.back_office_events = true (and its datastream_id), then `systemctl reload \
         orderfeed`; events of the meantime follow",
        website.code
    );
    let problem = StatusProblem::new(ProblemKind::WebsiteOff, message, remedy);
    Some(problem.serious_if(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::status::Pending;
    use crate::ops::status::testing::website;

    #[test]
    fn a_website_that_is_off_is_a_problem_only_after_it_had_events() {
        let mut off = website("base");
        (off.exporting, off.sender.state) = (false, SenderState::Running);
        off.parked.clear();
        assert!(switched_off(&off).is_some());
        off.delivered.clear();
        off.pending = Pending::default();
        assert!(switched_off(&off).is_none());
    }
}
