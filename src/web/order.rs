//! `/orders/NUMBER`: the timeline of the orders with one number.

use askama::Template;

use crate::ops::explain::{ExplainedEvent, ExplainedOrder, Explanation, ShopRecord, SubmissionStatus};
use crate::ops::status::Moment;
use crate::store::outbox::{AttemptRecord, EventState};
use crate::web::parts::{Stamp, link};
use crate::web::{Frame, rendered};

/// Attempts of an event that are shown, beside the first.
const LATEST_ATTEMPTS: usize = 4;

#[derive(Template)]
#[template(path = "order.html")]
struct OrderTemplate<'a> {
    frame: &'a Frame,
    explanation: &'a Explanation,
    orders: Vec<OrderView<'a>>,
}

#[derive(Template)]
#[template(path = "find_order.html")]
struct FindTemplate<'a> {
    frame: &'a Frame,
}

/// One order.
struct OrderView<'a> {
    order: &'a ExplainedOrder,
    entries: Vec<Entry>,
}

/// A point of the timeline.
struct Entry {
    at: Moment,
    tone: &'static str,
    title: &'static str,
    /// The events that it concerns; several if one request or batch held them.
    events: Vec<String>,
    detail: String,
}

/// Renders the timeline. The caller has checked that the viewer is an operator.
pub fn order_page(frame: &Frame, explanation: &Explanation) -> String {
    let orders = explanation.orders.iter();
    rendered(OrderTemplate {
        frame,
        explanation,
        orders: orders
            .map(|order| OrderView {
                order,
                entries: timeline(order),
            })
            .collect(),
    })
}

/// Renders the search for an order.
pub fn find_order_page(frame: &Frame) -> String {
    rendered(FindTemplate { frame })
}

fn timeline(order: &ExplainedOrder) -> Vec<Entry> {
    let mut entries = Vec::new();
    if let Some(at) = order.shop.as_ref().and_then(|shop| shop.created_at) {
        entries.push(entry(at, "", "Placed in the shop", String::new()));
    }
    for change in &order.changes {
        let indexed = if change.indexed {
            "indexed"
        } else {
            "not indexed yet"
        };
        let detail = format!(
            "{} in {}; version {}, {indexed}",
            change.op, change.table, change.version
        );
        entries.push(entry(change.observed_at, "", "Change captured", detail));
    }
    if let Some(feed) = &order.feed {
        entries.push(entry(feed.modified_at, "", "Indexed", feed.reason.to_owned()));
    }
    for event in &order.events {
        add_event(&mut entries, event);
    }
    // Stable: what happened at the same time stays in this order.
    entries.sort_by_key(|entry| (entry.at, entry.title));
    entries.into_iter().fold(Vec::new(), merge)
}

/// Adds an entry, to the last one if that differs in its events only.
fn merge(mut merged: Vec<Entry>, mut entry: Entry) -> Vec<Entry> {
    match merged.last_mut() {
        Some(last) if (last.at, last.title, &last.detail) == (entry.at, entry.title, &entry.detail) => {
            last.events.append(&mut entry.events);
        }
        _ => merged.push(entry),
    }
    merged
}

fn entry(at: Moment, tone: &'static str, title: &'static str, detail: String) -> Entry {
    Entry {
        at,
        tone,
        title,
        events: Vec::new(),
        detail,
    }
}

fn add_event(entries: &mut Vec<Entry>, event: &ExplainedEvent) {
    let name = format!("{} ({})", event.kind, event.document);
    let mut add = |at, tone, title, detail| {
        entries.push(Entry {
            events: vec![name.clone()],
            ..entry(at, tone, title, detail)
        });
    };
    if let Some(batch) = &event.batch {
        add(
            batch.entered_at,
            "",
            "Queued",
            format!("batch {}, {}", batch.id, batch.class),
        );
    }
    let latest = event.attempts.len().saturating_sub(LATEST_ATTEMPTS);
    for (index, attempt) in event.attempts.iter().enumerate() {
        if index == 0 || index >= latest {
            let (tone, title) = if attempt.accepted {
                ("good", "Accepted")
            } else {
                ("warn", "Not accepted")
            };
            add(attempt.at, tone, title, answer(attempt));
        }
    }
    if let Some(parked) = &event.parked {
        add(parked.parked_at, "bad", "Failed", parked.remedy.clone());
    }
    if let Some(suppressed) = &event.suppressed {
        add(suppressed.at, "warn", "Suppressed", suppressed.reason.clone());
    }
}

/// Describes the answer to an attempt.
fn answer(attempt: &AttemptRecord) -> String {
    let mut parts = vec![format!("attempt {}", attempt.number)];
    parts.extend(attempt.status.map(|status| format!("HTTP {status}")));
    parts.extend(attempt.code.clone());
    parts.extend(attempt.error.clone());
    parts.extend(attempt.duration_ms.map(|ms| format!("{ms} ms")));
    parts.extend(attempt.request_id.as_ref().map(|id| format!("request {id}")));
    parts.join(", ")
}

impl OrderView<'_> {
    fn scope(&self) -> &str {
        let shop = self.order.shop.as_ref();
        shop.and_then(|shop| shop.scope.as_deref()).unwrap_or("unknown")
    }

    fn shop_state(&self) -> String {
        let Some(shop) = &self.order.shop else {
            return "the shop's database cannot be read".to_owned();
        };
        match shop.found {
            ShopRecord::Deleted => "deleted in the shop".to_owned(),
            ShopRecord::Unreadable => {
                format!("unreadable: {}", shop.reason.as_deref().unwrap_or_default())
            }
            ShopRecord::Current => {
                let words = [shop.state.as_deref(), shop.status.as_deref()];
                words.into_iter().flatten().collect::<Vec<_>>().join(" / ")
            }
        }
    }

    fn can_resend(&self) -> bool {
        self.order
            .events
            .iter()
            .any(|event| event.state == EventState::Delivered)
    }
}

impl OrderTemplate<'_> {
    fn stamp(&self, at: &Moment) -> Stamp {
        Stamp::second(at.0)
    }

    fn tone(&self, event: &ExplainedEvent) -> &'static str {
        match event.state {
            EventState::Delivered => "good",
            EventState::Parked => "bad",
            EventState::Suppressed => "warn",
            EventState::Pending => "",
        }
    }

    fn status(&self, event: &ExplainedEvent) -> &'static str {
        event.export_status.map_or("Suppressed", SubmissionStatus::as_str)
    }

    fn website_link(&self, code: &str) -> String {
        link("/connector", &[("website", code)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::explain::{ExplainedSource, SHAPE};
    use crate::ops::status::DaemonStatus;
    use crate::web::testing::{HOSTILE, operator};
    use orderfeed_model::clock::UtcMillis;
    use uuid::Uuid;

    fn explanation(orders: Vec<ExplainedOrder>) -> Explanation {
        Explanation {
            version: SHAPE,
            number: HOSTILE.to_owned(),
            taken_at: Moment(UtcMillis(10_000)),
            daemon: DaemonStatus::default(),
            source: ExplainedSource {
                reachable: false,
                reason: Some(HOSTILE.to_owned()),
            },
            orders,
        }
    }

    fn order() -> ExplainedOrder {
        let attempt = |number, at, accepted| AttemptRecord {
            batch: 3,
            number,
            at: Moment(UtcMillis(at)),
            accepted,
            status: Some(if accepted { 200 } else { 503 }),
            request_id: Some(HOSTILE.to_owned()),
            code: None,
            error: None,
            duration_ms: Some(12),
        };
        let event = ExplainedEvent {
            key: "1042:placed:1042".to_owned(),
            generation: 0,
            kind: "placed".to_owned(),
            id: Uuid::from_u128(7),
            document: "order 1042".to_owned(),
            happened_at: None,
            state: EventState::Delivered,
            export_status: Some(SubmissionStatus::Submitted),
            notes: vec![HOSTILE.to_owned()],
            batch: None,
            waits_for: Vec::new(),
            attempts: vec![attempt(1, 4_000, false), attempt(2, 6_000, true)],
            next_attempt_at: None,
            parked: None,
            suppressed: None,
        };
        ExplainedOrder {
            entity_id: 1042,
            generation: None,
            website: Some(HOSTILE.to_owned()),
            summary: "every event was delivered".to_owned(),
            shop: None,
            changes: Vec::new(),
            feed: None,
            index_failure: None,
            sender: None,
            events: vec![event],
            missing: Vec::new(),
        }
    }

    #[test]
    fn the_timeline_is_in_order_and_escaped() {
        let page = order_page(&operator("/orders/x"), &explanation(vec![order()]));
        assert!(!page.contains(HOSTILE));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn an_unknown_number_has_a_next_step() {
        let page = order_page(&operator("/orders/x"), &explanation(Vec::new()));
        assert!(!page.contains(HOSTILE));
        insta::assert_snapshot!(page);
    }
}
