//! Formats the snapshot as one line for `systemctl status`. Times are absolute, so that the line stays true while nothing
//! happens.

use crate::ops::status::{Moment, Snapshot, WebsiteStatus};
use crate::store::backfill::BackfillKind;
use crate::store::outbox::SenderState;
use orderfeed_model::clock::UtcMillis;

/// Websites that are named; the others are only counted.
const NAMED: usize = 3;

impl Snapshot {
    /// Formats an outage of the source, the backlog, the pending events, the first backfill, the senders that do not run, and the parked events.
    pub fn line(&self) -> String {
        let failure = self.source.failure.as_ref();
        let failure =
            failure.map(|failure| format!("the source cannot be read{}", since(Some(failure.since))));
        let mut parts: Vec<String> = failure.into_iter().collect();
        parts.extend([self.backlog(), self.outbox()]);
        parts.extend(self.history());
        for (state, word) in [
            (SenderState::Halted, "halted"),
            (SenderState::Paused, "paused"),
            (SenderState::BackingOff, "waiting for the edge"),
        ] {
            parts.extend(self.senders_in(state, word));
        }
        let parked = sum(&self.websites, |website| website.parked.values().sum());
        if parked > 0 {
            parts.push(format!("{parked} parked"));
        }
        parts.join("; ")
    }

    fn backlog(&self) -> String {
        match (self.index.backlog, self.index.oldest_change_at) {
            (0, _) => format!("indexed to version {}", self.index.version),
            (orders, oldest) => format!("{orders} orders to index{}", since(oldest)),
        }
    }

    fn outbox(&self) -> String {
        let waiting = sum(&self.websites, |website| {
            website.pending.live + website.pending.history
        });
        let oldest = self
            .websites
            .iter()
            .filter_map(|website| website.pending.oldest_change_at)
            .min();
        match waiting {
            0 => "nothing to send".to_owned(),
            events => format!("{events} events to send{}", since(oldest)),
        }
    }

    fn history(&self) -> Option<String> {
        let backfill = self.backfills.first()?;
        let name = match backfill.kind {
            BackfillKind::FirstSync => "first sync",
            other => other.as_str(),
        };
        Some(
            // Orders placed since the start were not counted.
            match (backfill.done.min(backfill.total) * 100).checked_div(backfill.total) {
                Some(percent) => format!("{name} at {percent} % of {} orders", backfill.total),
                None => format!("{name} at {} orders", backfill.done),
            },
        )
    }

    fn senders_in(&self, state: SenderState, word: &str) -> Option<String> {
        let concerned = self
            .websites
            .iter()
            .filter(|website| website.sender.state == state);
        let codes: Vec<&str> = concerned.map(|website| website.code.as_str()).collect();
        let (named, others) = codes.split_at(NAMED.min(codes.len()));
        let named = named.join(", ");
        match (codes.len(), others.len()) {
            (0, _) => None,
            (_, 0) => Some(format!("{word}: {named}")),
            (_, more) => Some(format!("{word}: {named} and {more} more")),
        }
    }
}

fn sum(websites: &[WebsiteStatus], of: impl Fn(&WebsiteStatus) -> u64) -> u64 {
    websites.iter().map(of).sum()
}

fn since(moment: Option<Moment>) -> String {
    let text = |Moment(at): Moment| format!(" since {}Z", UtcMillis::sql(at).replace(' ', "T"));
    moment.map(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::status::SourceFailure;
    use crate::ops::status::testing::{backfill, snapshot, website};

    #[test]
    fn the_line_of_an_idle_daemon_is_short() {
        assert_eq!(snapshot().line(), "indexed to version 40; nothing to send");
    }

    #[test]
    fn an_outage_of_the_source_leads() {
        let mut silent = snapshot();
        silent.source.failure = Some(SourceFailure {
            since: Moment(UtcMillis(1_000)),
            message: "connection refused by db:3306".to_owned(),
            remedy: String::new(),
        });
        let expected =
            "the source cannot be read since 1970-01-01T00:00:01Z; indexed to version 40; nothing to send";
        assert_eq!(silent.line(), expected);
    }

    #[test]
    fn pending_events_blocked_senders_and_parked_events_are_in_the_line() {
        let mut busy = snapshot();
        busy.index.backlog = 7;
        busy.index.oldest_change_at = Some(Moment(UtcMillis(1_000)));
        busy.backfills = vec![backfill()];
        busy.websites = ["a", "b", "c", "d"].map(website).into();
        busy.websites[1].sender.state = SenderState::Running;
        let expected = "7 orders to index since 1970-01-01T00:00:01Z; \
                        44 events to send since 1970-01-01T00:00:02Z; first sync at 25 % of 400 orders; \
                        halted: a, c, d; 8 parked";
        assert_eq!(busy.line(), expected);
    }
}
