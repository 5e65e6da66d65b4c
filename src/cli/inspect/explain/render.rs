//! The life of an order as text. Pure.

use std::fmt::Write as _;

use crate::cli::output::table::visible;
use crate::ops::explain::{
    ExplainedAttempt, ExplainedEvent, ExplainedOrder, ExplainedShopOrder, Explanation, MissingEvent,
};
use crate::ops::sentence::human_duration;
use crate::ops::status::Moment;
use crate::store::outbox::SenderState;

/// Of many attempts, how many of the latest are shown.
const LATEST: usize = 4;

/// The text for people.
pub(super) fn render(explanation: &Explanation) -> String {
    let mut page = Page {
        text: String::new(),
        explanation,
    };
    match explanation.orders.as_slice() {
        [] => page.unknown(),
        [_] => {}
        several => page.line(&format!(
            "{} orders have the number {}, because store views may share numbers:",
            several.len(),
            explanation.number
        )),
    }
    for order in &explanation.orders {
        if !page.text.is_empty() {
            page.text.push('\n');
        }
        page.order(order);
    }
    page.text
}

struct Page<'a> {
    text: String,
    explanation: &'a Explanation,
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}", visible(text));
    }

    fn put(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "  {name:<10} {}", visible(value));
    }

    fn deep(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "      {name:<10} {}", visible(value));
    }

    /// `2026-11-22T07:00:00.000Z (3m 5s ago)`
    fn moment(&self, at: Moment) -> String {
        let since = self.explanation.taken_at.0.millis_since(at.0);
        match since {
            0.. => format!("{} ({} ago)", at.0, human_duration(since)),
            _ => format!("{} (in {})", at.0, human_duration(-since)),
        }
    }

    fn unknown(&mut self) {
        let number = &self.explanation.number;
        self.line(&format!("No order {number} is known."));
        match &self.explanation.source.reason {
            None => {
                self.line(
                    "Neither the feed nor the shop's database has an order with this number: it is mistyped (leading \
                     zeros count), or it is in another shop, or it was deleted before it was ever indexed.",
                );
                self.line("Look the number up in Commerce's admin; `orderfeed config show` says which database is read.");
            }
            Some(reason) => {
                self.line(
                    "The feed has no order with this number, and the shop's database could not be asked:",
                );
                self.line(&format!("  {reason}"));
                self.line("It may be mistyped, or not captured yet. Ask again when the source is reachable.");
            }
        }
    }

    fn order(&mut self, order: &ExplainedOrder) {
        let website = order.website.as_deref().map_or_else(
            || ", website unknown".to_owned(),
            |website| format!(", website {website}"),
        );
        self.line(&format!(
            "Order {} (entity {}{website})",
            self.explanation.number, order.entity_id
        ));
        self.put("Summary", &order.summary);
        self.shop(order.shop.as_ref());
        self.captured(order);
        self.indexed(order);
        self.delivery(order);
        let mut before = None;
        for event in &order.events {
            self.event(event, before);
            before = Some(event);
        }
        for missing in &order.missing {
            self.missing(missing);
        }
    }

    fn shop(&mut self, shop: Option<&ExplainedShopOrder>) {
        let Some(shop) = shop else {
            let reason = self.explanation.source.reason.clone().unwrap_or_default();
            self.put("Shop", &format!("could not be asked: {reason}"));
            return self.put(
                "",
                "what follows is what was known before; what changed since is missing",
            );
        };
        let text = match (shop.found, &shop.state) {
            ("unreadable", _) => format!(
                "the order cannot be understood: {}",
                shop.reason.as_deref().unwrap_or_default()
            ),
            (_, None) => "the order is not there any more; what is in the outbox still goes".to_owned(),
            (_, Some(state)) => {
                let status = shop
                    .status
                    .as_ref()
                    .filter(|status| *status != state)
                    .map_or_else(String::new, |status| format!(", status {status}"));
                let scope = shop.scope.as_deref().unwrap_or("its store view is gone");
                format!("state {state}{status}; {scope}")
            }
        };
        self.put("Shop", &text);
        if let (Some(created), Some(updated)) = (shop.created_at, shop.updated_at) {
            let (created, updated) = (self.moment(created), self.moment(updated));
            self.put("", &format!("placed {created}, last changed {updated}"));
        }
    }

    fn captured(&mut self, order: &ExplainedOrder) {
        if order.changes.is_empty() {
            let text = match order.feed {
                Some(_) => {
                    "no change in the changelog: cleaned away after indexing, or read by a walk over history"
                }
                None => "no change in the changelog",
            };
            return self.put("Captured", text);
        }
        for (index, change) in order.changes.iter().enumerate() {
            let state = match change.indexed {
                true => "indexed",
                false => "not indexed yet",
            };
            let at = self.moment(change.observed_at);
            let name = if index == 0 { "Captured" } else { "" };
            self.put(
                name,
                &format!(
                    "version {}, {} {}, {at}: {state}",
                    change.version, change.op, change.table
                ),
            );
        }
    }

    fn indexed(&mut self, order: &ExplainedOrder) {
        match &order.feed {
            None => self.put("Indexed", "never"),
            Some(feed) => {
                let hash = match &feed.hash {
                    Some(hash) => format!("hash {hash}"),
                    None => "no hash, so it is looked at afresh".to_owned(),
                };
                let deleted = match feed.deleted {
                    true => "; it was deleted in the shop",
                    false => "",
                };
                let at = self.moment(feed.modified_at);
                self.put("Indexed", &format!("{at}, {hash}{deleted}"));
                let exported = match feed.exported {
                    true => "Exported",
                    false => "Withheld",
                };
                self.put(exported, feed.reason);
            }
        }
        if let Some(failure) = &order.index_failure {
            let due = self.moment(failure.due_at);
            self.put(
                "FAILED",
                &format!(
                    "it could not be indexed ({} tries): {}; next try {due}",
                    failure.attempts, failure.reason
                ),
            );
        }
    }

    fn delivery(&mut self, order: &ExplainedOrder) {
        if !self.explanation.daemon.running {
            self.put("Daemon", "not running; start it with `systemctl start orderfeed`");
        }
        let Some(sender) = &order.sender else { return };
        let state = match sender.state {
            SenderState::Running if !self.explanation.daemon.running => return,
            SenderState::Running => return self.put("Delivery", "sending"),
            SenderState::BackingOff => "backing off",
            SenderState::Halted => "HALTED",
            SenderState::Paused => "paused",
        };
        let until = sender
            .until
            .map_or_else(String::new, |at| format!(", next try {}", self.moment(at)));
        let code = match sender.code.is_empty() {
            true => String::new(),
            false => format!(" ({})", sender.code),
        };
        self.put("Delivery", &format!("{state}: {}{code}{until}", sender.reason));
        if !sender.remedy.is_empty() {
            self.put("", &format!("remedy: {}", sender.remedy));
        }
    }

    fn event(&mut self, event: &ExplainedEvent, before: Option<&ExplainedEvent>) {
        let word = event.export_status.unwrap_or("Given up");
        let _ = writeln!(self.text);
        self.line(&format!("  {}, {}: {word}", event.kind, event.document));
        let key = &event.key;
        self.deep("event", &format!("{key}, _id {}", event.id));
        if let Some(at) = event.happened_at {
            let at = self.moment(at);
            self.deep("happened", &at);
        }
        if let Some(batch) = &event.batch {
            let entered = self.moment(batch.entered_at);
            let parent = batch
                .parent
                .map_or_else(String::new, |parent| format!(", before in batch {parent}"));
            let count = match batch.events {
                1 => "1 event".to_owned(),
                events => format!("{events} events"),
            };
            self.deep(
                "queued",
                &format!("{entered}, batch {} ({}, {count}{parent})", batch.id, batch.class),
            );
        }
        self.attempts(event, before);
        for note in &event.notes {
            self.deep("so", note);
        }
    }

    /// Events of one order mostly travel together: what the one before went through is not told twice.
    fn attempts(&mut self, event: &ExplainedEvent, before: Option<&ExplainedEvent>) {
        if before.is_some_and(|before| !event.attempts.is_empty() && before.attempts == event.attempts) {
            return self.deep("tries", "the same as above");
        }
        let mut before: Option<&ExplainedAttempt> = None;
        for attempt in shown(&event.attempts) {
            match before.map(|before| between(before, attempt, &event.attempts)) {
                None | Some(0) => {}
                Some(left_out) => self.deep("", &format!("… {left_out} more failures …")),
            }
            let text = self.attempt(attempt);
            self.deep(&format!("try {}", attempt.number), &text);
            before = Some(attempt);
        }
    }

    fn attempt(&self, attempt: &ExplainedAttempt) -> String {
        let mut text = self.moment(attempt.at);
        match attempt.status {
            Some(status) => {
                let _ = write!(text, ": {status}");
            }
            None => text.push_str(": no answer"),
        }
        if attempt.accepted {
            text.push_str(" accepted");
        } else if let Some(code) = attempt.code.as_ref().filter(|code| !code.starts_with("http_")) {
            let _ = write!(text, ", {code}");
        }
        if let Some(error) = attempt.error.as_ref().filter(|_| !attempt.accepted) {
            let _ = write!(text, " ({error})");
        }
        if let Some(millis) = attempt.duration_ms {
            let _ = write!(text, ", after {millis} ms");
        }
        if let Some(id) = &attempt.request_id {
            let _ = write!(text, ", request {id}");
        }
        text
    }

    fn missing(&mut self, missing: &MissingEvent) {
        let _ = writeln!(self.text);
        self.line(&format!("  {}, {}: no event", missing.kind, missing.document));
        self.deep("event", &format!("_id {} (it will have)", missing.id));
        let at = self.moment(missing.happened_at);
        self.deep("happened", &at);
        self.deep("so", &missing.why);
    }
}

/// The first attempt and the latest few.
fn shown(attempts: &[ExplainedAttempt]) -> impl Iterator<Item = &ExplainedAttempt> {
    let latest = attempts.len().saturating_sub(LATEST).max(1);
    attempts.iter().take(1).chain(attempts.iter().skip(latest))
}

/// How many attempts lie between two that are shown: by their numbers, because the store does not keep all of them
/// either; across batches by what is on record.
fn between(before: &ExplainedAttempt, now: &ExplainedAttempt, all: &[ExplainedAttempt]) -> usize {
    if before.batch == now.batch {
        return now.number.saturating_sub(before.number + 1) as usize;
    }
    let place = |wanted: &ExplainedAttempt| all.iter().position(|attempt| attempt == wanted);
    match (place(before), place(now)) {
        (Some(before), Some(now)) => now.saturating_sub(before + 1),
        _ => 0,
    }
}
