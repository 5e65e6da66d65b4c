//! One batch of orders becomes feed rows and events: CPU only, no I/O. Runs on a blocking thread.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::commerce::source::ReadOrder;
use crate::config::Config;
use crate::indexer::apply::feed_hash::feed_hash;
use crate::indexer::apply::routing::{Route, route};
use crate::store::feed::{Exported, FeedRow};
use crate::store::outbox::{EventKey, EventState, KnownEvent, NewEvent, Refusal};
use crate::store::suppression::Person;
use orderfeed_events::{EventContext, Fact, Renderer, Unsendable, facts, person};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Order, OrderId};

/// What the store holds of an order before it is indexed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prior {
    pub(crate) feed: Option<FeedRow>,
    pub(crate) events: Vec<KnownEvent>,
    /// Of them, those that could not be rendered: they are tried again with each look.
    pub(crate) unrendered: Vec<EventKey>,
    /// The frozen bodies of delivered events and the persons whom they name, if a forced resend asked for them.
    pub(crate) frozen: HashMap<EventKey, (Vec<u8>, Option<Person>)>,
}

/// How orders are looked at.
#[derive(Clone, Debug)]
pub(crate) struct DeriveContext {
    pub(crate) context: EventContext,
    /// By website, how old an order may be that is met for the first time; live changes have no limit.
    pub(crate) floors: BTreeMap<String, UtcMillis>,
    /// Websites for which nothing more is taken right now.
    pub(crate) full: Arc<BTreeSet<String>>,
    /// Send again what was delivered.
    pub(crate) resend: bool,
    pub(crate) now: UtcMillis,
}

/// An order that was looked at.
#[derive(Debug)]
pub(crate) enum Derived {
    /// As before.
    Unchanged {
        /// Which order.
        id: OrderId,
        /// The website that it belongs to, if that is known.
        website: Option<String>,
        /// Whether its events go there.
        exported: Exported,
    },
    /// New or changed.
    Changed {
        /// Its feed row, without the website's number.
        row: FeedRow,
        /// The website that it belongs to, if that is known.
        website: Option<String>,
        /// Whose order it is, by the e-mail address.
        person: Option<Person>,
        /// Events to enter the outbox.
        events: Vec<NewEvent>,
        /// Delivered events whose bytes had to be rendered again.
        rerendered: u64,
    },
    /// It could not be understood.
    Failed {
        /// Which order.
        id: OrderId,
        /// Why.
        reason: String,
    },
}

impl Derived {
    /// Which order it is.
    pub(crate) fn id(&self) -> OrderId {
        match self {
            Self::Changed { row, .. } => row.order,
            Self::Failed { id, .. } | Self::Unchanged { id, .. } => *id,
        }
    }
}

/// Looks at each order by itself: whatever is wrong with one, even a panic, does not touch the others.
pub(crate) fn derive(
    orders: Vec<ReadOrder>,
    prior: &HashMap<OrderId, Prior>,
    config: &Config,
    look: &DeriveContext,
) -> Vec<Derived> {
    let nothing = Prior::default();
    let one = |order: ReadOrder| match order {
        ReadOrder::Unreadable { id, reason } => Derived::Failed { id, reason },
        ReadOrder::Whole(mut order) => {
            let id = order.id;
            let prior = prior.get(&id).unwrap_or(&nothing);
            let work = AssertUnwindSafe(|| derive_one(&mut order, prior, config, look));
            let panicked = |_| Derived::Failed {
                id,
                reason: "deriving its events panicked; please report it".to_owned(),
            };
            catch_unwind(work).unwrap_or_else(panicked)
        }
    };
    orders.into_iter().map(one).collect()
}

fn derive_one(order: &mut Order, prior: &Prior, config: &Config, look: &DeriveContext) -> Derived {
    // What had to wait for room passed this check when it came; it may have been a live change.
    let is_known = prior
        .feed
        .as_ref()
        .is_some_and(|row| matches!(row.exported, Exported::Yes | Exported::OutboxFull));
    let scope = order.scope.as_ref();
    let floor = scope.and_then(|scope| look.floors.get(&scope.website).copied());
    let route = route(order, config, floor.filter(|_| !is_known)).unless_full(&look.full);
    let hash = feed_hash(order, &route);
    let unchanged = prior.feed.as_ref().is_some_and(|row| row.hash == Some(hash));
    // The website is kept for orders that are withheld as well: `status` counts them by website.
    let website = order.scope.as_ref().map(|scope| scope.website.clone());
    if unchanged && !look.resend {
        return Derived::Unchanged {
            id: order.id,
            website,
            exported: route.exported(),
        };
    }
    let (events, rerendered) = match &route {
        Route::Send(_) => new_events(order, prior, look),
        Route::Withhold(_) => (Vec::new(), 0),
    };
    let row = FeedRow {
        order: order.id,
        number: order.number.clone(),
        website: None,
        hash: Some(hash),
        exported: route.exported(),
        modified_at: look.now,
    };
    Derived::Changed {
        row,
        website,
        person: order.email.as_deref().and_then(person),
        events,
        rerendered,
    }
}

fn new_events(order: &Order, prior: &Prior, look: &DeriveContext) -> (Vec<NewEvent>, u64) {
    let renderer = Renderer::new(order, &look.context);
    let mut rerendered = 0;
    let mut events = Vec::new();
    for fact in facts(order) {
        let key = EventKey {
            order: order.id,
            kind: fact.kind.code(),
            document: fact.document_id,
        };
        let known = prior.events.iter().find(|event| event.key == key);
        let frozen = match known.map(|event| event.state) {
            None => None,
            Some(EventState::Delivered) if look.resend => {
                rerendered += u64::from(!prior.frozen.contains_key(&key));
                prior.frozen.get(&key).cloned()
            }
            Some(EventState::Parked) if prior.unrendered.contains(&key) => None,
            Some(_) => continue,
        };
        let (body, person) = match frozen {
            Some((body, person)) => (Ok(body), person),
            None => (renderer.render(&fact).map_err(refusal), renderer.person()),
        };
        events.push(NewEvent {
            kind: key.kind,
            document: key.document,
            not_before: not_before(&fact, look.now),
            person,
            body,
        });
    }
    (events, rerendered)
}

/// An event's timestamp must lie in the past when the edge sees it; the clock of the database may be ahead of ours.
fn not_before(fact: &Fact, now: UtcMillis) -> UtcMillis {
    fact.at.max(now)
}

fn refusal(cause: Unsendable) -> Refusal {
    Refusal {
        code: cause.code().to_owned(),
        detail: cause.to_string(),
    }
}
