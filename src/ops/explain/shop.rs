//! The order in the source, and its facts without an event.

use crate::ops::explain::words::{document_of, is_of};
use crate::ops::explain::{
    ExplainRequest, ExplainedOrder, ExplainedShopOrder, FoundOrder, MissingEvent, ShopRecord, SourceAnswer,
    SourceOrder,
};
use crate::ops::status::Moment;
use crate::store::feed::Exported;
use crate::store::outbox::KnownEvent;
use orderfeed_events::Fact;

impl FoundOrder {
    pub(super) fn id(&self) -> i64 {
        match self {
            Self::Whole(order) => order.id,
            Self::Unreadable { id, .. } => *id,
        }
    }
}

impl SourceAnswer {
    pub(super) fn orders(&self) -> &[FoundOrder] {
        match self {
            Self::Answered(found) => found,
            Self::Unreachable(_) => &[],
        }
    }
}

/// Explains an order that the source was asked for; `None` for one that it does not hold.
pub(super) fn explain_shop_order(found: Option<&FoundOrder>) -> ExplainedShopOrder {
    let deleted = ExplainedShopOrder {
        found: ShopRecord::Deleted,
        reason: None,
        state: None,
        status: None,
        created_at: None,
        updated_at: None,
        scope: None,
    };
    match found {
        None => deleted,
        Some(FoundOrder::Unreadable { reason, .. }) => ExplainedShopOrder {
            found: ShopRecord::Unreadable,
            reason: Some(reason.clone()),
            ..deleted
        },
        Some(FoundOrder::Whole(order)) => ExplainedShopOrder {
            found: ShopRecord::Current,
            reason: None,
            state: Some(order.state.clone()),
            status: order.status.clone(),
            created_at: Some(Moment(order.created_at)),
            updated_at: Some(Moment(order.updated_at)),
            scope: order.scope.clone(),
        },
    }
}

/// Returns the facts without an event in the outbox, with the reason.
pub(super) fn missing(
    order: &SourceOrder,
    facts: &[Fact],
    explained: &ExplainedOrder,
    known: &[KnownEvent],
    request: &ExplainRequest,
    daemon_runs: bool,
) -> Vec<MissingEvent> {
    let is_known = |fact: &Fact| known.iter().any(|event| is_of(event.key, fact));
    // One reason for all of them, because the events of an order enter the outbox together.
    let (why, withheld) = why_missing(order, explained, request, daemon_runs);
    let missing = facts.iter().filter(|fact| !is_known(fact));
    missing
        .map(|fact| MissingEvent {
            kind: fact.kind.to_string(),
            document: document_of(fact.kind, fact.document_id),
            id: fact.event_id(&request.data_space),
            happened_at: Moment(fact.at),
            why: why.clone(),
            withheld,
        })
        .collect()
}

/// Returns the reason, and true if the order is withheld.
fn why_missing(
    order: &SourceOrder,
    explained: &ExplainedOrder,
    request: &ExplainRequest,
    daemon_runs: bool,
) -> (String, bool) {
    let start = match daemon_runs {
        true => "",
        false => "; no daemon runs, start it with `systemctl start orderfeed`",
    };
    if order.exported != Exported::Yes {
        return (format!("withheld: {}", order.exported.as_sentence()), true);
    }
    if let Some(failure) = &explained.index_failure {
        let why = format!(
            "the order could not be indexed ({}); it is retried by itself at {}",
            failure.reason, failure.due_at.0
        );
        return (why, false);
    }
    if let Some(change) = explained.changes.iter().find(|change| !change.indexed) {
        let why = format!(
            "captured, not indexed yet: the change with version {} waits for the next run of \
             indexer_update_all_views{start}",
            change.version,
        );
        return (why, false);
    }
    match &explained.feed {
        Some(feed) if feed.follows => (format!("withheld for now: {}", feed.reason), true),
        Some(feed) if !feed.exported => {
            let why = format!(
                "withheld: {}; a change of the order, or `orderfeed saas:resync --feed orders --by-ids {}`, makes its events",
                feed.reason, request.number
            );
            (why, true)
        }
        Some(_) => {
            let why = format!(
                "not captured yet: the order changed after it was indexed, and no capture has noticed it so far{start}"
            );
            (why, false)
        }
        None => {
            let why =
                format!("not captured yet: neither a change nor a backfill has reached the order{start}");
            (why, false)
        }
    }
}
