//! Compares an order with what the store holds of it. Pure: the same derivation as indexing, without the events' bodies.

use std::collections::{BTreeMap, HashMap};

use crate::commerce::source::ReadOrder;
use crate::config::Config;
use crate::indexer::apply::derive::{Prior, isolate, key_of};
use crate::indexer::apply::feed_hash::feed_hash;
use crate::indexer::apply::routing::{Route, route};
use crate::indexer::verify::report::Finding;
use crate::store::feed::{Exported, FeedHash, KnownBirth};
use crate::store::outbox::{EventKey, EventState};
use orderfeed_events::{Fact, facts};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Order, OrderId};

/// The comparison of one order.
#[derive(Debug)]
pub(crate) struct ComparedOrder {
    pub(crate) id: OrderId,
    pub(crate) number: String,
    pub(crate) website: Option<String>,
    pub(crate) in_source: bool,
    pub(crate) in_feed: bool,
    pub(crate) exported: Exported,
    /// Time of the last change, by the source.
    pub(crate) updated_at: Option<UtcMillis>,
    /// True if the order has returns, which are polled less often.
    pub(crate) has_returns: bool,
    /// The events that the order requires, and their states; `None` if the outbox does not hold the event.
    pub(crate) events: Vec<(EventKey, Option<EventState>)>,
    /// Documents among its own that have the id of an earlier one.
    pub(crate) reused: u64,
    /// Birth marks that the store does not hold yet.
    pub(crate) births: Vec<KnownBirth>,
    /// Hash of the order in the source, if it returned one.
    pub(crate) hash: Option<FeedHash>,
    pub(crate) finding: Option<Finding>,
    pub(crate) detail: String,
}

/// Compares the orders with these ids. The result leaves out those that neither source nor feed hold.
pub(crate) fn compare(
    ids: &[OrderId],
    orders: Vec<ReadOrder>,
    prior: &HashMap<OrderId, Prior>,
    config: &Config,
    floors: &BTreeMap<String, UtcMillis>,
) -> Vec<ComparedOrder> {
    let nothing = Prior::default();
    let mut read: HashMap<OrderId, ReadOrder> = orders.into_iter().map(|order| (order.id(), order)).collect();
    let one = |id: &OrderId| {
        let prior = prior.get(id).unwrap_or(&nothing);
        let unreadable = |reason| ComparedOrder {
            in_source: true,
            ..without_order(*id, prior, Finding::Unreadable, reason)
        };
        match read.remove(id) {
            None if prior.feed.is_none() => None,
            None => Some(without_order(*id, prior, Finding::Deleted, String::new())),
            Some(ReadOrder::Unreadable { reason, .. }) => Some(unreadable(reason)),
            Some(ReadOrder::Partial { missing, .. }) => {
                Some(unreadable(format!("{missing} does not answer")))
            }
            Some(ReadOrder::Whole(mut order)) => {
                let compared = isolate(|| compare_one(&mut order, prior, config, floors));
                Some(compared.unwrap_or_else(unreadable))
            }
        }
    };
    ids.iter().filter_map(one).collect()
}

/// Returns the comparison of an order of which only the store's rows can be read.
fn without_order(id: OrderId, prior: &Prior, finding: Finding, detail: String) -> ComparedOrder {
    let feed = prior.feed.as_ref();
    ComparedOrder {
        id,
        number: feed.map(|row| row.number.clone()).unwrap_or_default(),
        website: None,
        in_source: false,
        in_feed: feed.is_some(),
        exported: Exported::Yes,
        updated_at: None,
        has_returns: false,
        events: Vec::new(),
        reused: 0,
        births: Vec::new(),
        hash: None,
        finding: Some(finding),
        detail,
    }
}

fn compare_one(
    order: &mut Order,
    prior: &Prior,
    config: &Config,
    floors: &BTreeMap<String, UtcMillis>,
) -> ComparedOrder {
    let feed = prior.feed.as_ref();
    let scope = order.scope.as_ref();
    let floor = match feed.map(|row| row.exported) {
        // As a backfill that meets the order for the first time.
        None => scope.and_then(|scope| floors.get(&scope.website).copied()),
        // A backfill withheld it. The route is that of then; the hash shows whether the order changed since.
        Some(Exported::BeforeHistory) => Some(UtcMillis(i64::MAX)),
        Some(_) => None,
    };
    let route = route(order, config, floor);
    let hash = feed_hash(order, &route);
    let is_current = feed.is_some_and(|row| row.hash == Some(hash));
    let exported = route.exported();
    let births = prior.set_generations(order);
    let events = match &route {
        Route::Send(_) => event_states(order, prior),
        Route::Withhold(_) => Vec::new(),
    };
    let lacks = events.iter().any(|(_, state)| state.is_none());
    let finding = match feed {
        // History does not reach that far, so the order needs no row.
        None if exported == Exported::BeforeHistory => None,
        _ if births.iter().any(KnownBirth::is_reborn) => Some(Finding::ReusedId),
        None => Some(Finding::MissingOrder),
        Some(_) if !is_current => Some(Finding::Stale),
        Some(_) if lacks => Some(Finding::MissingEvent),
        Some(_) => None,
    };
    ComparedOrder {
        id: order.id,
        number: order.number.clone(),
        website: order.scope.as_ref().map(|scope| scope.website.clone()),
        in_source: true,
        in_feed: feed.is_some(),
        exported,
        updated_at: Some(order.updated_at),
        has_returns: !order.returns.is_empty(),
        events,
        reused: prior.births.iter().filter(|birth| birth.generation > 0).count() as u64,
        births,
        hash: Some(hash),
        finding,
        detail: String::new(),
    }
}

fn event_states(order: &Order, prior: &Prior) -> Vec<(EventKey, Option<EventState>)> {
    let state_of = |fact: Fact| {
        let key = key_of(order.id, &fact);
        let known = prior.events.iter().find(|event| event.key == key);
        (key, known.map(|event| event.state))
    };
    facts(order).into_iter().map(state_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Website;
    use crate::store::feed::FeedRow;
    use crate::store::outbox::KnownEvent;
    use orderfeed_model::birth::BirthMark;
    use orderfeed_model::order::Scope;

    fn config() -> Config {
        let mut config = Config::default();
        let datastream = "ebebf826-a01f-4458-8cec-ef61de241c93".parse().unwrap();
        config
            .websites
            .insert("base".to_owned(), Website::sending_to(datastream));
        config
    }

    fn order() -> Order {
        Order {
            id: 7,
            created_at: UtcMillis(10),
            scope: Some(Scope {
                website: "base".to_owned(),
                ..Scope::default()
            }),
            ..Order::default()
        }
    }

    fn prior(exported: Exported, events: usize) -> Prior {
        let route = match exported {
            Exported::Yes => Route::Send("base".to_owned()),
            why => Route::Withhold(why),
        };
        let key = EventKey {
            order: 7,
            kind: orderfeed_events::EventKind::Placed.code(),
            document: 7,
            generation: 0,
        };
        let known = KnownEvent {
            key,
            batch: 1,
            state: EventState::Delivered,
        };
        Prior {
            feed: Some(FeedRow {
                order: 7,
                number: String::new(),
                website: None,
                hash: Some(feed_hash(&mut order(), &route)),
                exported,
                modified_at: UtcMillis(0),
                birth: BirthMark::default(),
            }),
            events: vec![known; events],
            ..Prior::default()
        }
    }

    fn found(order: Option<Order>, prior: Option<Prior>) -> Option<Finding> {
        let orders = order.map(|order| ReadOrder::Whole(Box::new(order)));
        let prior = prior.map(|prior| (7, prior)).into_iter().collect();
        let floors = [("base".to_owned(), UtcMillis(100))].into();
        let compared = compare(&[7], orders.into_iter().collect(), &prior, &config(), &floors);
        compared.into_iter().next().and_then(|one| one.finding)
    }

    #[test]
    fn each_way_to_differ_has_its_name() {
        let changed = Order {
            state: "complete".to_owned(),
            ..order()
        };
        let recent = Order {
            created_at: UtcMillis(100),
            ..order()
        };
        let table = [
            (Some(order()), Some(prior(Exported::Yes, 1)), None),
            (Some(recent), None, Some(Finding::MissingOrder)),
            (
                Some(changed.clone()),
                Some(prior(Exported::Yes, 1)),
                Some(Finding::Stale),
            ),
            (
                Some(order()),
                Some(prior(Exported::Yes, 0)),
                Some(Finding::MissingEvent),
            ),
            (None, Some(prior(Exported::Yes, 1)), Some(Finding::Deleted)),
            (None, None, None),
            // History does not reach it, and it has not changed since.
            (Some(order()), None, None),
            (Some(order()), Some(prior(Exported::BeforeHistory, 0)), None),
            (
                Some(changed),
                Some(prior(Exported::BeforeHistory, 0)),
                Some(Finding::Stale),
            ),
        ];
        for (index, (order, prior, expected)) in table.into_iter().enumerate() {
            assert_eq!(found(order, prior), expected, "row {index}");
        }
    }
}
