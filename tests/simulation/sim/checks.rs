//! The invariants of a run: at any time, after a crash, and at the end. Computed from the model and the edge's record
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use orderfeed::store::feed::Exported;
use orderfeed::store::outbox::{EventState, FinalState, KnownEvent, ParkedFilter};
use orderfeed::store::views::IndexerStatus;
use orderfeed::store::{Reader, Store, StoreError, StoreView};
use uuid::Uuid;

use super::shop::{Fact, KINDS, SHIPMENT_COMPLETED};
use super::world::World;
use super::{DATA_SPACE, GHOST};

/// Returns the `_id` of a fact, computed from its specification: UUIDv5 of `data space|kind|document`, in a namespace
/// that is itself the UUIDv5 of a URL.
pub fn id_of(kind: u8, document: i64) -> String {
    let url = b"https://ns.adobe.com/xdm/context/experienceevent";
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, url);
    let kind = KINDS[usize::from(kind) - 1].1;
    Uuid::new_v5(&namespace, format!("{DATA_SPACE}|{kind}|{document}").as_bytes()).to_string()
}

const TYPES: [&str; 8] = [
    "commerce.backofficeOrderPlaced",
    "commerce.backofficeOrderInvoiced",
    "commerce.backofficeOrderItemsShipped",
    "commerce.backofficeOrderShipmentCompleted",
    "commerce.backofficeOrderCancelled",
    "commerce.backofficeCreditMemoIssued",
    "commerce.backofficeOrderItemsReturnInitiated",
    "commerce.backofficeOrderItemsReturnCompleted",
];

/// Checks that this event, which was sent before, is no longer pending when another event of its order is sent.
pub fn must_be_final(world: &World, order: i64, id: &str) {
    let read = StoreView::open(&world.path).and_then(|mut store| store.read(|r| r.events_of(order)));
    let known = match read {
        Ok(known) => known,
        Err(error) => return world.fail(format!("the store cannot be looked at: {error}")),
    };
    let pending = |event: &&KnownEvent| id_of(event.key.kind, event.key.document) == id;
    if known
        .iter()
        .find(pending)
        .is_some_and(|event| event.state == EventState::Pending)
    {
        world.fail(format!(
            "an event of order {order} overtakes {id}, which has no answer yet"
        ));
    }
}

/// Checks the store while nothing writes to it: after each crash, and at the end.
pub async fn check_store(world: &Arc<World>, store: &Store) {
    let orders: Vec<i64> = world.with(|state| state.shop.orders.keys().copied().collect());
    // Collected before the store is read, so that each of these events must be in it.
    let sent: Vec<String> = world.with(|state| state.edge.events.keys().cloned().collect());
    let read = store.read(move |reader| read_store(reader, &orders)).await;
    let seen = match read {
        Ok(seen) => seen,
        Err(error) => return world.fail(format!("the store cannot be read: {error}")),
    };
    if seen.version > seen.head {
        world.fail(format!(
            "the view is at {}, the changelog ends at {}",
            seen.version, seen.head
        ));
    }
    let before = world.with(|state| std::mem::replace(&mut state.version, seen.version));
    if before > seen.version {
        world.fail(format!("the view went back from {before} to {}", seen.version));
    }
    let mut wrong = seen.wrong;
    world.with(|state| {
        let mut held = BTreeSet::new();
        for event in &seen.events {
            let id = id_of(event.key.kind, event.key.document);
            let at_edge = state.edge.events.get(&id).cloned().unwrap_or_default();
            match event.state {
                EventState::Delivered if !at_edge.accepted => {
                    wrong.push(format!("{id} is delivered, but the edge never said yes"));
                }
                EventState::Suppressed
                    if !at_edge.suppressed && !state.edge.tainted.contains(&event.key.order) =>
                {
                    wrong.push(format!("{id} is suppressed for no reason"));
                }
                EventState::Parked if !at_edge.refused_alone && !seen.rendered_not.contains(&id) => {
                    wrong.push(format!("{id} is parked, but the edge never refused it alone"));
                }
                _ => {}
            }
            held.insert(id);
        }
        for id in sent.iter().filter(|id| !held.contains(*id)) {
            wrong.push(format!("{id} was sent, and the store does not know it"));
        }
    });
    for what in wrong {
        world.fail(what);
    }
}

struct Seen {
    version: i64,
    head: i64,
    events: Vec<KnownEvent>,
    /// Events parked because they cannot be rendered.
    rendered_not: BTreeSet<String>,
    wrong: Vec<String>,
}

fn read_store(reader: &Reader<'_>, orders: &[i64]) -> Result<Seen, StoreError> {
    let mut seen = Seen {
        version: reader.view_version()?,
        head: reader.changelog_head()?,
        events: Vec::new(),
        rendered_not: BTreeSet::new(),
        wrong: Vec::new(),
    };
    for order in orders {
        let events = reader.events_of(*order)?;
        // Without a hash the order is indexed again, because a parked event that could not be rendered is retried.
        let exported = reader
            .feed_row(*order)?
            .is_some_and(|(row, gone)| row.exported == Exported::Yes && row.hash.is_some() && !gone);
        if exported && events.is_empty() {
            seen.wrong
                .push(format!("order {order} is in the feed without its events"));
        }
        seen.events.extend(events);
    }
    for parked in reader.parked(&ParkedFilter::default(), usize::MAX)? {
        if parked.code == "too_large" && parked.attempts == 0 {
            seen.rendered_not
                .insert(id_of(parked.key.kind, parked.key.document));
        }
        if parked.code.is_empty() {
            seen.wrong
                .push(format!("{:?} is parked without a reason", parked.key));
        }
    }
    check_totals(reader, &mut seen)?;
    Ok(seen)
}

/// Checks that the running totals match the rows.
fn check_totals(reader: &Reader<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let mut counted: BTreeMap<(u8, FinalState), i64> = BTreeMap::new();
    for website in reader.outbox_by_website()? {
        for (kind, state, events) in website.totals {
            *counted.entry((kind, state)).or_default() += events.cast_signed();
        }
    }
    let mut found: BTreeMap<(u8, FinalState), i64> = BTreeMap::new();
    for event in &seen.events {
        let state = match event.state {
            EventState::Pending => continue,
            EventState::Delivered => FinalState::Delivered,
            EventState::Suppressed => FinalState::Suppressed,
            EventState::Parked => FinalState::Parked,
        };
        *found.entry((event.key.kind, state)).or_default() += 1;
    }
    if counted != found {
        seen.wrong
            .push(format!("the totals say {counted:?}, the events {found:?}"));
    }
    Ok(())
}

/// Checks that nothing is left to do. The error describes the remaining work.
pub async fn settled(world: &Arc<World>, store: &Store) -> Result<(), String> {
    let captured = world.with(|state| state.shop.commits);
    let read = store.read(|reader| {
        let (view, head) = (reader.view_version()?, reader.changelog_head()?);
        let syncs = reader.first_syncs()?;
        Ok((
            reader
                .source_cursors()?
                .and_then(|cursors| cursors.0.get("log")?.parse::<u64>().ok()),
            head - view,
            reader.indexer_state()?.map(|state| state.status),
            reader.pending_events()?,
            reader.index_failure_count()?,
            syncs
                .iter()
                .filter(|row| row.state.as_str() != "complete")
                .count(),
        ))
    });
    let (cursor, backlog, index, pending, failures, syncing) =
        read.await.map_err(|error| error.to_string())?;
    let done = cursor == Some(captured) && backlog == 0 && index == Some(IndexerStatus::Valid);
    if done && pending == 0 && failures == 0 && syncing == 0 {
        return Ok(());
    }
    Err(format!(
        "captured {cursor:?} of {captured}, backlog {backlog}, index {index:?}, pending {pending}, failures {failures}, \
         first syncs under way {syncing}"
    ))
}

/// Checks that exactly the facts have arrived, and each order's events in order.
pub fn check_edge(world: &Arc<World>) {
    let mut wrong = Vec::new();
    world.with(|state| {
        let (edge, mut known) = (&state.edge, BTreeSet::new());
        for (order, fact) in state.shop.facts() {
            let id = id_of(fact.kind, fact.document);
            let seen = edge.events.get(&id);
            if let Some(seen) = seen {
                if seen.order != order.id || seen.event_type != TYPES[usize::from(fact.kind) - 1] {
                    wrong.push(format!("{id} is not what it says: {seen:?} for {fact:?}"));
                }
                if matches!(order.website, None | Some(GHOST)) {
                    wrong.push(format!("order {} goes nowhere, but {id} was sent", order.id));
                }
            }
            let nowhere = matches!(order.website, None | Some(GHOST));
            let never = nowhere || order.deleted || edge.is_poison(&id) || state.given_up.contains(&id);
            let too_large = order.huge && seen.is_none();
            if !never && !too_large && !seen.is_some_and(|seen| seen.recorded) {
                wrong.push(format!(
                    "{fact:?} ({id}) never arrived; {}",
                    describe(&world.path, fact)
                ));
            }
            if edge.is_poison(&id) && seen.is_some_and(|seen| seen.recorded) {
                wrong.push(format!("{id} is poison and was recorded"));
            }
            known.insert(id);
        }
        for id in edge.events.keys().filter(|id| !known.contains(*id)) {
            wrong.push(format!("{id} was sent, and nothing happened that it could mean"));
        }
        for order in state.shop.orders.values() {
            check_order(
                &order.facts,
                state.has_api,
                |fact| {
                    edge.events
                        .get(&id_of(fact.kind, fact.document))
                        .map(|seen| seen.first)
                },
                &mut wrong,
            );
        }
    });
    for what in wrong {
        world.fail(what);
    }
}

/// Describes the rows of a fact in the store, to find the cause of a failure.
fn describe(path: &Path, fact: &Fact) -> String {
    let order = fact.order;
    let read = |reader: &Reader<'_>| {
        let events = reader.events_of(order)?;
        let own = events
            .iter()
            .find(|event| (event.key.kind, event.key.document) == (fact.kind, fact.document));
        let Some(own) = own else {
            return Ok(format!(
                "the store does not know it; feed {:?}",
                reader.feed_row(order)?
            ));
        };
        Ok(format!(
            "{own:?} {:?} {:?}",
            reader.batch_record(own.batch)?,
            reader.suppression(own.key)?
        ))
    };
    match StoreView::open(path).and_then(|mut store| store.read(read)) {
        Ok(words) => words,
        Err(error) => error.to_string(),
    }
}

/// Checks the sequence of an order's facts. A reader of the later of two facts also sees the earlier one if that was
/// committed no later, so the earlier one must be sent first. Without snapshots this does not hold for a completed shipment,
/// which is derived from the order and not from a document.
fn check_order(
    facts: &[Fact],
    has_api: bool,
    first: impl Fn(&Fact) -> Option<(u64, usize)>,
    wrong: &mut Vec<String>,
) {
    for earlier in facts
        .iter()
        .filter(|fact| !has_api || fact.kind != SHIPMENT_COMPLETED)
    {
        let Some(sent) = first(earlier) else { continue };
        let later = facts.iter().filter(|later| {
            earlier.commit <= later.commit
                && earlier.place() < later.place()
                && first(later).is_some_and(|at| at < sent)
        });
        wrong.extend(later.map(|later| format!("{later:?} was sent before {earlier:?}")));
    }
}
