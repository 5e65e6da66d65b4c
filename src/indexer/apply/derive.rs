//! Derives feed rows and events from a batch of orders. CPU only, no I/O; runs on a blocking thread.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::commerce::source::ReadOrder;
use crate::config::Config;
use crate::indexer::apply::feed_hash::feed_hash;
use crate::indexer::apply::routing::{Route, route};
use crate::store::feed::{Exported, FeedRow, KnownBirth};
use crate::store::outbox::{EventKey, EventState, KnownEvent, NewEvent, Refusal};
use crate::store::suppression::Person;
use orderfeed_events::{EventContext, Fact, Renderer, Unsendable, facts, person};
use orderfeed_model::birth::{BirthMark, DocumentKind};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Order, OrderId};

/// The store's rows of an order before it is indexed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prior {
    pub(crate) feed: Option<FeedRow>,
    /// The generations of the order and its documents, by the marks that were just read.
    pub(crate) births: Vec<KnownBirth>,
    pub(crate) events: Vec<KnownEvent>,
    /// Parked events that could not be rendered. They are rendered again each time the order is derived.
    pub(crate) unrendered: Vec<EventKey>,
    /// The frozen bodies of delivered events and the persons whom they name, for a resend.
    pub(crate) frozen: HashMap<EventKey, (Vec<u8>, Option<Person>)>,
}

/// The settings of a derivation, the same for all orders of a batch.
#[derive(Clone, Debug)]
pub(crate) struct DeriveContext {
    pub(crate) events: EventContext,
    /// By website, the creation time before which an order that was never indexed has no events; empty for live changes.
    pub(crate) floors: BTreeMap<String, UtcMillis>,
    pub(crate) full_websites: Arc<BTreeSet<String>>,
    /// True if delivered events are sent again.
    pub(crate) resend: bool,
    pub(crate) now: UtcMillis,
}

/// The result for one order.
#[derive(Debug)]
pub(crate) enum Derived {
    Unchanged {
        id: OrderId,
        website: Option<String>,
        exported: Exported,
        births: Vec<KnownBirth>,
    },
    /// New or changed.
    Changed {
        /// The new feed row, still without its website's id.
        row: FeedRow,
        /// Birth marks that the store does not hold yet.
        births: Vec<KnownBirth>,
        website: Option<String>,
        /// Identity of the shopper, by the e-mail address.
        person: Option<Person>,
        /// Events to add to the outbox.
        events: Vec<NewEvent>,
        /// Number of delivered events whose bytes had to be rendered again.
        rerendered: u64,
    },
    /// The order could not be parsed.
    Failed { id: OrderId, reason: String },
}

impl Derived {
    /// Returns the birth marks that the store does not hold yet.
    pub(crate) fn births(&self) -> &[KnownBirth] {
        match self {
            Self::Changed { births, .. } | Self::Unchanged { births, .. } => births,
            Self::Failed { .. } => &[],
        }
    }

    /// Returns true if the new feed row carries this mark.
    pub(crate) fn row_holds(&self, birth: &KnownBirth) -> bool {
        let is_first = birth.document.kind == DocumentKind::Order && birth.generation == 0;
        is_first && matches!(self, Self::Changed { .. })
    }

    /// Returns the order's number, if it was read.
    pub(crate) fn number(&self) -> Option<&str> {
        match self {
            Self::Changed { row, .. } => Some(&row.number),
            Self::Unchanged { .. } | Self::Failed { .. } => None,
        }
    }

    pub(crate) fn id(&self) -> OrderId {
        match self {
            Self::Changed { row, .. } => row.order,
            Self::Failed { id, .. } | Self::Unchanged { id, .. } => *id,
        }
    }
}

/// Derives each order by itself: an error in one, even a panic, does not affect the others.
pub(crate) fn derive(
    orders: Vec<ReadOrder>,
    prior: &HashMap<OrderId, Prior>,
    config: &Config,
    context: &DeriveContext,
) -> Vec<Derived> {
    let nothing = Prior::default();
    let one = |order: ReadOrder| match order {
        ReadOrder::Unreadable { id, reason } => Derived::Failed { id, reason },
        ReadOrder::Whole(mut order) | ReadOrder::Partial { mut order, .. } => {
            let id = order.id;
            let prior = prior.get(&id).unwrap_or(&nothing);
            isolate(|| derive_one(&mut order, prior, config, context))
                .unwrap_or_else(|reason| Derived::Failed { id, reason })
        }
    };
    orders.into_iter().map(one).collect()
}

/// Runs the derivation of one order. A panic becomes the reason why the order fails.
pub(crate) fn isolate<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let reason = |_| "deriving its events panicked; please report it".to_owned();
    catch_unwind(AssertUnwindSafe(work)).map_err(reason)
}

/// Returns the key of the event that reports `fact`.
pub(crate) fn key_of(order: OrderId, fact: &Fact) -> EventKey {
    EventKey {
        order,
        kind: fact.kind.code(),
        document: fact.document_id,
        generation: fact.generation,
    }
}

impl Prior {
    /// Sets the generations of an order and its documents. Returns the births that the store does not hold yet.
    pub(crate) fn set_generations(&self, order: &mut Order) -> Vec<KnownBirth> {
        order.set_generations(|document| {
            let birth = self.births.iter().find(|birth| birth.document == document);
            birth.map_or(0, |birth| birth.generation)
        });
        self.births.iter().filter(|birth| birth.is_new).copied().collect()
    }
}

fn derive_one(order: &mut Order, prior: &Prior, config: &Config, context: &DeriveContext) -> Derived {
    // An order with `OutboxFull` passed this check when it was skipped, perhaps as a live change.
    let is_known = prior
        .feed
        .as_ref()
        .is_some_and(|row| matches!(row.exported, Exported::Yes | Exported::OutboxFull));
    // The website is kept for withheld orders too: `status` counts them by website.
    let website = order.scope.as_ref().map(|scope| scope.website.clone());
    let floor = website
        .as_ref()
        .and_then(|code| context.floors.get(code).copied());
    let route = route(order, config, floor.filter(|_| !is_known)).unless_full(&context.full_websites);
    let hash = feed_hash(order, &route);
    let births = prior.set_generations(order);
    let unchanged = prior.feed.as_ref().is_some_and(|row| row.hash == Some(hash))
        // The quote of an order is part of its mark and not of the hash.
        && !births.iter().any(KnownBirth::is_reborn);
    if unchanged && !context.resend {
        return Derived::Unchanged {
            id: order.id,
            website,
            exported: route.exported(),
            births,
        };
    }
    let (events, rerendered) = match &route {
        Route::Send(_) => new_events(order, prior, context),
        Route::Withhold(_) => (Vec::new(), 0),
    };
    Derived::Changed {
        row: FeedRow {
            order: order.id,
            number: order.number.clone(),
            website: None,
            hash: Some(hash),
            exported: route.exported(),
            modified_at: context.now,
            birth: first_mark(&births),
        },
        births,
        website,
        person: order.email.as_deref().and_then(person),
        events,
        rerendered,
    }
}

/// Returns the mark for an order's feed row, empty if the row holds it already or belongs to an earlier order of this id.
fn first_mark(births: &[KnownBirth]) -> BirthMark {
    let of_order = |birth: &&KnownBirth| birth.document.kind == DocumentKind::Order && birth.generation == 0;
    let found = births.iter().find(of_order);
    found.map_or_else(BirthMark::default, |birth| birth.mark)
}

/// Returns the events to add to the outbox, and how many of them were delivered before and had to be rendered again.
fn new_events(order: &Order, prior: &Prior, context: &DeriveContext) -> (Vec<NewEvent>, u64) {
    let renderer = Renderer::new(order, &context.events);
    let mut rerendered = 0;
    let mut events = Vec::new();
    for fact in facts(order) {
        let key = key_of(order.id, &fact);
        let known = prior.events.iter().find(|event| event.key == key);
        let frozen = match known.map(|event| event.state) {
            None => None,
            Some(EventState::Delivered) if context.resend => {
                rerendered += u64::from(!prior.frozen.contains_key(&key));
                prior.frozen.get(&key).cloned()
            }
            Some(EventState::Parked) if prior.unrendered.contains(&key) => None,
            Some(_) => continue,
        };
        let (body, person) = match frozen {
            // Frozen bytes are sent again as they are, even if they would be rendered differently today (I4).
            Some((body, person)) => (Ok(body), person),
            None => (renderer.render(&fact).map_err(refusal), renderer.person()),
        };
        events.push(NewEvent {
            kind: key.kind,
            document: key.document,
            generation: key.generation,
            // The edge refuses timestamps in the future; the clock of the database may be ahead of this machine's.
            not_before: fact.at.max(context.now),
            person,
            body,
        });
    }
    (events, rerendered)
}

fn refusal(cause: Unsendable) -> Refusal {
    Refusal {
        code: cause.code().to_owned(),
        detail: cause.to_string(),
    }
}
