//! Formats the explanation of an order as text. Pure.

use std::fmt::Write as _;

use crate::cli::output::table::visible;
use crate::ops::explain::{
    ExplainedEvent, ExplainedOrder, ExplainedShopOrder, Explanation, MissingEvent, ShopRecord,
    SubmissionStatus,
};
use crate::ops::sentence;
use crate::ops::sentence::human_duration;
use crate::ops::status::Moment;
use crate::store::outbox::{AttemptRecord, SenderState};

/// Number of latest attempts shown, beside the first.
const LATEST_ATTEMPTS: usize = 4;

pub(super) fn render(explanation: &Explanation) -> String {
    let mut text = ExplainText {
        text: String::new(),
        explanation,
    };
    match explanation.orders.as_slice() {
        [] => text.unknown(),
        [_] => {}
        several => text.line(&format!(
            "{} orders have the number {}, because store views may share numbers:",
            several.len(),
            explanation.number
        )),
    }
    for order in &explanation.orders {
        if !text.text.is_empty() {
            text.text.push('\n');
        }
        text.order(order);
    }
    text.text
}

struct ExplainText<'a> {
    text: String,
    explanation: &'a Explanation,
}

impl ExplainText<'_> {
    // Values may come from the shop, the edge or the configuration, so each line is escaped.

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}", visible(text));
    }

    fn field(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "  {name:<10} {}", visible(value));
    }

    fn event_field(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "      {name:<10} {}", visible(value));
    }

    /// `2026-11-22T07:00:00.000Z (3m 5s ago)`
    fn moment(&self, at: Moment) -> String {
        let since = self.explanation.taken_at.0.millis_since(at.0);
        match since {
            0.. => format!("{} ({} ago)", at.0, human_duration(since)),
            // The next attempt.
            _ => format!("{} (in {})", at.0, human_duration(-since)),
        }
    }

    fn unknown(&mut self) {
        let number = &self.explanation.number;
        self.line(&format!("No order {number} was found."));
        match &self.explanation.source.reason {
            None => {
                self.line(
                    "Neither the feed nor the shop's database has an order with this number: it is mistyped (leading \
                     zeros count), it belongs to another shop, or it was deleted before it was indexed.",
                );
                self.line("Check the number in Commerce's admin; `orderfeed config show` shows which database is read.");
            }
            Some(reason) => {
                self.line(
                    "The feed has no order with this number, and the shop's database could not be read:",
                );
                self.line(&format!("  {reason}"));
                self.line("It may be mistyped, or not captured yet. Try again when the source is reachable.");
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
        self.field("Summary", &order.summary);
        if let Some(earlier) = order.generation.filter(|earlier| *earlier > 0) {
            let text = format!(
                "{} had the entity id {} before (the database was restored, or orders were deleted); this one has event \
                 ids of its own",
                sentence::count(earlier.into(), "other order"),
                order.entity_id
            );
            self.field("Reused id", &text);
        }
        self.shop(order.shop.as_ref());
        self.captured(order);
        self.indexed(order);
        self.delivery(order);
        // Attempts equal to those of the previous event are left out.
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
            self.field("Shop", &format!("could not be read: {reason}"));
            return self.field("", "below is what the store holds; later changes are missing");
        };
        let text = match (shop.found, &shop.state) {
            (ShopRecord::Unreadable, _) => format!(
                "the order cannot be read: {}",
                shop.reason.as_deref().unwrap_or_default()
            ),
            (_, None) => "the order was deleted; its pending events are still sent".to_owned(),
            (_, Some(state)) => {
                let status = shop
                    .status
                    .as_ref()
                    .filter(|status| *status != state)
                    .map_or_else(String::new, |status| format!(", status {status}"));
                let scope = shop.scope.as_deref().unwrap_or("its store view was deleted");
                format!("state {state}{status}; {scope}")
            }
        };
        self.field("Shop", &text);
        if let (Some(created), Some(updated)) = (shop.created_at, shop.updated_at) {
            let (created, updated) = (self.moment(created), self.moment(updated));
            self.field("", &format!("placed {created}, last changed {updated}"));
        }
    }

    fn captured(&mut self, order: &ExplainedOrder) {
        if order.changes.is_empty() {
            let text = match order.feed {
                Some(_) => "no change in the changelog: removed after indexing, or read by a backfill",
                None => "no change in the changelog",
            };
            return self.field("Captured", text);
        }
        let mut name = "Captured";
        for change in &order.changes {
            let (version, op, table) = (change.version, &change.op, &change.table);
            let state = if change.indexed {
                "indexed"
            } else {
                "not indexed yet"
            };
            let at = self.moment(change.observed_at);
            self.field(name, &format!("version {version}, {op} {table}, {at}: {state}"));
            name = "";
        }
    }

    fn indexed(&mut self, order: &ExplainedOrder) {
        match &order.feed {
            None => self.field("Indexed", "never"),
            Some(feed) => {
                let hash = match &feed.hash {
                    Some(hash) => format!("hash {hash}"),
                    None => "no hash, so the next update derives its events again".to_owned(),
                };
                let deleted = if feed.deleted { "; deleted in the shop" } else { "" };
                let at = self.moment(feed.modified_at);
                self.field("Indexed", &format!("{at}, {hash}{deleted}"));
                let name = if feed.exported { "Exported" } else { "Withheld" };
                self.field(name, feed.reason);
            }
        }
        if let Some(failure) = &order.index_failure {
            let (attempts, reason, due) = (failure.attempts, &failure.reason, self.moment(failure.due_at));
            let text = format!("not indexed after {attempts} attempts: {reason}; next attempt {due}");
            self.field("FAILED", &text);
        }
    }

    fn delivery(&mut self, order: &ExplainedOrder) {
        if !self.explanation.daemon.running {
            self.field("Daemon", "not running; start it with `systemctl start orderfeed`");
        }
        let Some(sender) = &order.sender else { return };
        let state = match sender.state {
            // The line above has reported that nothing is sent.
            SenderState::Running if !self.explanation.daemon.running => return,
            SenderState::Running => return self.field("Delivery", "sending"),
            SenderState::BackingOff => "backing off",
            SenderState::Halted => "HALTED",
            SenderState::Paused => "paused",
        };
        let until = sender
            .until
            .map(|at| format!(", next attempt {}", self.moment(at)));
        let code = match sender.code.as_str() {
            "" => String::new(),
            code => format!(" ({code})"),
        };
        let until = until.unwrap_or_default();
        self.field("Delivery", &format!("{state}: {}{code}{until}", sender.reason));
        if !sender.remedy.is_empty() {
            self.field("", &format!("remedy: {}", sender.remedy));
        }
    }

    fn event(&mut self, event: &ExplainedEvent, before: Option<&ExplainedEvent>) {
        let word = event.export_status.map_or("Discarded", SubmissionStatus::as_str);
        let _ = writeln!(self.text);
        self.line(&format!("  {}, {}: {word}", event.kind, event.document));
        let key = &event.key;
        self.event_field("event", &format!("{key}, _id {}", event.id));
        if let Some(at) = event.happened_at {
            let at = self.moment(at);
            self.event_field("happened", &at);
        }
        if let Some(batch) = &event.batch {
            let (id, class, entered) = (batch.id, batch.class, self.moment(batch.entered_at));
            let events = sentence::count(batch.events, "event");
            let parent = batch
                .parent
                .map(|parent| format!(", previously in batch {parent}"));
            let parent = parent.unwrap_or_default();
            let text = format!("{entered}, batch {id} ({class}, {events}{parent})");
            self.event_field("queued", &text);
        }
        self.attempts(event, before);
        for note in &event.notes {
            self.event_field("note", note);
        }
    }

    /// Lists the attempts. Events of one order are mostly sent together, so attempts equal to the previous event's are not
    /// repeated.
    fn attempts(&mut self, event: &ExplainedEvent, before: Option<&ExplainedEvent>) {
        if before.is_some_and(|before| !event.attempts.is_empty() && before.attempts == event.attempts) {
            return self.event_field("attempts", "as above");
        }
        let mut before: Option<&AttemptRecord> = None;
        for attempt in shown(&event.attempts) {
            match before.map(|before| between(before, attempt, &event.attempts)) {
                None | Some(0) => {}
                Some(omitted) => self.event_field("", &format!("… {omitted} more failures …")),
            }
            let text = self.attempt(attempt);
            self.event_field(&format!("attempt {}", attempt.number), &text);
            before = Some(attempt);
        }
    }

    fn attempt(&self, attempt: &AttemptRecord) -> String {
        let mut text = self.moment(attempt.at);
        match attempt.status {
            Some(status) => {
                let _ = write!(text, ": {status}");
            }
            None => text.push_str(": no answer"),
        }
        if attempt.accepted {
            text.push_str(" accepted");
        // A code such as `http_429` only repeats the status.
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
        self.event_field("event", &format!("its _id will be {}", missing.id));
        let at = self.moment(missing.happened_at);
        self.event_field("happened", &at);
        self.event_field("note", &missing.why);
    }
}

/// Returns the first attempt and the latest few.
fn shown(attempts: &[AttemptRecord]) -> impl Iterator<Item = &AttemptRecord> {
    let latest = attempts.len().saturating_sub(LATEST_ATTEMPTS).max(1);
    attempts.iter().take(1).chain(attempts.iter().skip(latest))
}

/// Counts the attempts between two that are shown.
fn between(before: &AttemptRecord, now: &AttemptRecord, all: &[AttemptRecord]) -> usize {
    // By number, because the store does not keep every attempt of a batch.
    if before.batch == now.batch {
        return now.number.saturating_sub(before.number + 1) as usize;
    }
    let place = |wanted: &AttemptRecord| all.iter().position(|attempt| attempt == wanted);
    match (place(before), place(now)) {
        (Some(before), Some(now)) => now.saturating_sub(before + 1),
        _ => 0,
    }
}
