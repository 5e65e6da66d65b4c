//! The journal of I/O Events: events with positions, read forwards, kept for a while.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::json::{Json, map};
use orderfeed_model::clock::UtcMillis;

/// Events of an answer, unless the request asks for fewer.
const PAGE: usize = 100;

/// The journal of one registration.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    events: VecDeque<Entry>,
    /// Position of the last event that was ever written.
    last: u64,
}

#[derive(Debug)]
struct Entry {
    position: u64,
    at: UtcMillis,
    event: Value,
}

/// The answer to a request for events.
#[derive(Debug, PartialEq)]
pub(crate) enum Page {
    Events {
        body: String,
        next: String,
    },
    /// Nothing new.
    End {
        next: String,
    },
    /// The position is older than what is kept.
    Gone,
}

/// A request for events.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) since: Option<&'a str>,
    pub(crate) latest: bool,
    /// Only events from this time on.
    pub(crate) from: Option<UtcMillis>,
    pub(crate) limit: Option<usize>,
}

impl Journal {
    /// Appends an event. Returns its position.
    pub(crate) fn push(&mut self, at: UtcMillis, event: Value) -> String {
        self.last += 1;
        self.events.push_back(Entry {
            position: self.last,
            at,
            event,
        });
        position(self.last)
    }

    /// Drops all events but the last `keep`, as after the time that the journal keeps them.
    pub(crate) fn expire(&mut self, keep: usize) {
        let drop = self.events.len().saturating_sub(keep);
        self.events.drain(..drop);
    }

    pub(crate) fn page(&self, path: &str, ask: Ask<'_>) -> Page {
        let limit = ask.limit.unwrap_or(PAGE);
        let first_kept = self.events.front().map_or(self.last + 1, |entry| entry.position);
        let since = match ask
            .since
            .map(|text| text.strip_prefix("mock:").and_then(|n| n.parse().ok()))
        {
            // An unknown position is treated as an old one.
            Some(None) => return Page::Gone,
            Some(Some(since)) if since + 1 < first_kept => return Page::Gone,
            Some(Some(since)) => since,
            None if ask.latest => self.last,
            None => first_kept - 1,
        };
        let is_asked =
            |entry: &&Entry| entry.position > since && ask.from.is_none_or(|from| entry.at >= from);
        let events: Vec<&Entry> = self.events.iter().filter(is_asked).take(limit).collect();
        let link = |since: u64| {
            let limit = ask
                .limit
                .map(|limit| format!("&limit={limit}"))
                .unwrap_or_default();
            format!("<{path}?since={}{limit}>; rel=\"next\"", position(since))
        };
        let Some(last) = events.last().map(|entry| entry.position) else {
            return Page::End { next: link(since) };
        };
        let listed: Vec<Value> = events
            .iter()
            .map(|entry| json!({ "position": position(entry.position), "event": entry.event }))
            .collect();
        let body = json!({ "events": listed, "_page": { "last": position(last), "count": listed.len() } });
        Page::Events {
            body: body.to_string(),
            next: link(last),
        }
    }
}

fn position(number: u64) -> String {
    format!("mock:{number}")
}

/// Returns the answer for a position that is not kept.
pub(crate) fn gone() -> Json {
    map! { "error_code": "410", "message": "The requested position is no longer available" }
}

/// Builds the event that Commerce sends after an order is saved.
pub(crate) fn order_event(order: i64, number: &str) -> Value {
    let id = format!("{:032x}", fastrand::u128(..));
    json!({
        "specversion": "1.0",
        "type": "com.adobe.commerce.observer.sales_order_save_commit_after",
        "source": "urn:uuid:mock-commerce",
        "eventid": id,
        "event_id": id,
        "data": {
            "key": format!("{:032x}", fastrand::u128(..)),
            "source": "mock.stage",
            "value": { "entity_id": order.to_string(), "increment_id": number },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(page: Page) -> String {
        let (Page::Events { next, .. } | Page::End { next }) = page else {
            panic!("gone");
        };
        next.split_once("since=")
            .unwrap()
            .1
            .split(['&', '>'])
            .next()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn a_reader_follows_the_links_to_the_end_and_meets_the_limit_of_retention() {
        let mut journal = Journal::default();
        for order in 1..=5 {
            journal.push(UtcMillis(order * 1000), order_event(order, "1"));
        }
        let ask = |since| Ask {
            since,
            limit: Some(3),
            ..Ask::default()
        };
        let first = next(journal.page("/events/x", ask(None)));
        assert_eq!(first, "mock:3");
        let second = next(journal.page("/events/x", ask(Some(&first))));
        assert_eq!(second, "mock:5");
        assert!(matches!(
            journal.page("/events/x", ask(Some(&second))),
            Page::End { .. }
        ));
        journal.expire(1);
        assert_eq!(journal.page("/events/x", ask(Some(&first))), Page::Gone);
        let late = Ask {
            from: Some(UtcMillis(5000)),
            ..Ask::default()
        };
        assert!(matches!(journal.page("/events/x", late), Page::Events { .. }));
        let end = Ask {
            latest: true,
            ..Ask::default()
        };
        assert_eq!(next(journal.page("/events/x", end)), "mock:5");
    }
}
