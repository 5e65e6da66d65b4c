//! Any rows of Commerce's tables become whole orders or an error, and whole orders become events: valid JSON in XDM,
//! with ids that depend only on the document, the same bytes each time, and no personal data in the anonymized
//! profile.

use orderfeed::commerce::read::rows::read_orders;
use orderfeed::commerce::source::ReadOrder;
use orderfeed_events::{
    EventContext, MAX_EVENT_BYTES, Profile, StatusEvent, Unsendable, facts, person, status_events,
};
use orderfeed_model::order::Order;
use uuid::{Uuid, uuid};

use super::feed::Feed;
use super::order_rows::{MARK, Rows};
use super::xdm_schema::violations;

const DATA_SPACE: Uuid = uuid!("2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90");
/// Namespace of all event ids. Repeated here, independently of the code under test.
const NAMESPACE: Uuid = uuid!("9ed9d373-e1ec-5c18-b1c6-dea86b719ad0");
/// Times that RFC 3339 can represent: the years 0 to 9999.
const WRITABLE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

pub fn check(data: &[u8]) {
    let orders = read(data);
    let again = read(data);
    assert_eq!(orders.len(), again.len());
    for (one, other) in orders.iter().zip(&again) {
        match (one, other) {
            (ReadOrder::Whole(one), ReadOrder::Whole(other)) => {
                assert_eq!(one, other);
                derive(one, other);
            }
            (ReadOrder::Unreadable { reason, .. }, ReadOrder::Unreadable { .. }) => {
                assert!(reason.contains(" is not "), "{reason}");
                assert!(!reason.to_lowercase().contains(MARK), "{reason}");
            }
            _ => panic!("the same rows, the same order"),
        }
    }
}

/// Returns the kinds of the events made from the input, to measure what a fuzzer reaches.
pub fn kinds(data: &[u8]) -> Vec<&'static str> {
    let context = EventContext::new(DATA_SPACE);
    let sendable = |order: &Order| {
        status_events(order, &context)
            .into_iter()
            .filter(|event| event.body.is_ok())
    };
    let orders = read(data);
    let whole = orders.iter().filter_map(|order| match order {
        ReadOrder::Whole(order) | ReadOrder::Partial { order, .. } => Some(&**order),
        ReadOrder::Unreadable { .. } => None,
    });
    whole
        .flat_map(sendable)
        .map(|event| event.kind.as_str())
        .collect()
}

fn read(data: &[u8]) -> Vec<ReadOrder> {
    let mut rows = Rows::new(Feed::new(data));
    let ids = rows.ids();
    let scopes = rows.scopes();
    read_orders(&ids, scopes, |asked| rows.of(asked))
}

fn derive(order: &Order, same: &Order) {
    let context = |profile| EventContext {
        profile,
        ..EventContext::new(DATA_SPACE)
    };
    let (secret, open) = (context(Profile::Anonymized), context(Profile::Full));
    let events = status_events(order, &secret);
    assert_eq!(
        events,
        status_events(same, &secret),
        "the same order, the same bytes"
    );
    let in_full = status_events(same, &open);
    assert_eq!(events.len(), facts(order).len());
    assert_eq!(events.len(), in_full.len());
    for (event, full) in events.iter().zip(&in_full) {
        assert_eq!(
            (event.id, event.kind, event.document_id),
            (full.id, full.kind, full.document_id)
        );
        let name = format!("{DATA_SPACE}|{}|{}", event.kind, event.document_id);
        assert_eq!(
            event.id,
            Uuid::new_v5(&NAMESPACE, name.as_bytes()),
            "an id depends on the document alone"
        );
        sound(event, order);
        sound(full, order);
        if let Ok(body) = &event.body {
            let body = String::from_utf8_lossy(body).to_lowercase();
            assert!(!body.contains(MARK), "a person is named: {body}");
        }
    }
}

fn sound(event: &StatusEvent, order: &Order) {
    match &event.body {
        Ok(body) => {
            assert!(body.len() <= MAX_EVENT_BYTES);
            assert_eq!(violations(body), Vec::<String>::new());
            let id = format!("{{\"xdm\":{{\"_id\":\"{}\"", event.id);
            assert!(
                body.starts_with(id.as_bytes()),
                "the event is sent under its own id"
            );
            let person = order.email.as_deref().and_then(person);
            assert_eq!(event.person, person);
            let named = person.is_some_and(|hash| {
                let identity = format!(
                    r#""identityMap":{{"Email_LC_SHA256":[{{"id":"{}""#,
                    hex::encode(hash)
                );
                String::from_utf8_lossy(body).contains(&identity)
            });
            assert_eq!(named, person.is_some(), "the event names its person");
        }
        Err(Unsendable::Timestamp { millis }) => assert!(!WRITABLE.contains(millis)),
        Err(Unsendable::TooLarge { bytes, limit }) => assert!(bytes > limit),
        Err(other) => panic!("{other}"),
    }
}
