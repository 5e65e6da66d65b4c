//! The order in the shop, and what should be an event and is none.

use crate::ops::explain::words::document_of;
use crate::ops::explain::{
    ExplainRequest, ExplainedChange, ExplainedFeed, ExplainedIndexFailure, ExplainedShopOrder, FoundOrder,
    MissingEvent, SourceAnswer, SourceOrder,
};
use crate::ops::status::Moment;
use crate::store::feed::Exported;
use crate::store::outbox::KnownEvent;
use orderfeed_events::{Fact, event_id};

impl FoundOrder {
    /// `entity_id`.
    pub(super) fn id(&self) -> i64 {
        match self {
            Self::Whole(order) => order.id,
            Self::Unreadable { id, .. } => *id,
        }
    }
}

/// The orders that the source knows.
pub(super) fn found_ids(answer: &SourceAnswer) -> Vec<i64> {
    match answer {
        SourceAnswer::Answered(seen) => seen.iter().map(FoundOrder::id).collect(),
        SourceAnswer::Unreachable(_) => Vec::new(),
    }
}

/// What the source says about an order.
pub(super) fn explain_shop(seen: &FoundOrder) -> ExplainedShopOrder {
    match seen {
        FoundOrder::Unreadable { reason, .. } => ExplainedShopOrder {
            found: "unreadable",
            reason: Some(reason.clone()),
            ..gone()
        },
        FoundOrder::Whole(order) => ExplainedShopOrder {
            found: "current",
            reason: None,
            state: Some(order.state.clone()),
            status: order.status.clone(),
            created_at: Some(Moment(order.created_at)),
            updated_at: Some(Moment(order.updated_at)),
            scope: order.scope.clone(),
        },
    }
}

/// The source knows no such order any more.
pub(super) fn gone() -> ExplainedShopOrder {
    ExplainedShopOrder {
        found: "gone",
        reason: None,
        state: None,
        status: None,
        created_at: None,
        updated_at: None,
        scope: None,
    }
}

/// What happened in the shop and is not in the outbox, each with the reason.
pub(super) fn missing(
    order: &SourceOrder,
    known: &[KnownEvent],
    request: &ExplainRequest,
    changes: &[ExplainedChange],
    feed: Option<&ExplainedFeed>,
    failure: Option<&ExplainedIndexFailure>,
    daemon_runs: bool,
) -> Vec<MissingEvent> {
    let is_known = |fact: &Fact| {
        known
            .iter()
            .any(|event| event.key.kind == fact.kind.code() && event.key.document == fact.document_id)
    };
    let why = why_missing(order, request, changes, feed, failure, daemon_runs);
    let missing = order.facts.iter().filter(|fact| !is_known(fact));
    missing
        .map(|fact| MissingEvent {
            kind: fact.kind.to_string(),
            document: document_of(fact.kind, fact.document_id),
            id: event_id(&request.data_space, fact.kind, fact.document_id),
            happened_at: Moment(fact.at),
            why: why.clone(),
        })
        .collect()
}

/// One reason for all of them: events of an order enter together.
fn why_missing(
    order: &SourceOrder,
    request: &ExplainRequest,
    changes: &[ExplainedChange],
    feed: Option<&ExplainedFeed>,
    failure: Option<&ExplainedIndexFailure>,
    daemon_runs: bool,
) -> String {
    if order.exported != Exported::Yes {
        return format!("withheld: {}", order.exported.as_sentence());
    }
    if let Some(failure) = failure {
        return format!(
            "the order could not be indexed ({}); it is tried again by itself at {}",
            failure.reason, failure.due_at.0
        );
    }
    if let Some(change) = changes.iter().find(|change| !change.indexed) {
        return format!(
            "captured, not indexed yet: the change with version {} waits for the next run of \
             indexer_update_all_views{}",
            change.version,
            starting(daemon_runs)
        );
    }
    match feed {
        Some(feed) if feed.follows => format!("withheld for now: {}", feed.reason),
        Some(feed) if !feed.exported => format!(
            "withheld: {}; a change of the order, or `orderfeed saas:resync --feed orders --by-ids {}`, makes its events",
            feed.reason, request.number
        ),
        Some(_) => format!(
            "not captured yet: the order changed after it was indexed, and the change was not noticed so far{}",
            starting(daemon_runs)
        ),
        None => format!(
            "not captured yet: neither a change nor a walk over history has reached the order{}",
            starting(daemon_runs)
        ),
    }
}

fn starting(daemon_runs: bool) -> &'static str {
    match daemon_runs {
        true => "",
        false => "; no daemon runs, start it with `systemctl start orderfeed`",
    }
}
