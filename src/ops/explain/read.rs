//! Taking the snapshot: everything from one read transaction.

use std::path::Path;

use crate::ops::explain::events::{Surroundings, event_lives};
use crate::ops::explain::shop::{gone, missing, seen_orders, shop_life};
use crate::ops::explain::{
    ChangeLife, EventLife, Explanation, FailureLife, FeedLife, MissingLife, OrderLife, Question, SHAPE, Seen,
    SeenOrder, Sight, SourceLife,
};
use crate::ops::status::{DaemonStatus, Moment, SenderStatus};
use crate::store::feed::Exported;
use crate::store::{Reader, StoreError, StoreLock};

/// Changes that are shown: the latest.
const MOST_CHANGES: usize = 20;

impl Explanation {
    /// Takes it from the store at `path`, on which `reader` is open.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn read(reader: &Reader<'_>, path: &Path, question: &Question) -> Result<Self, StoreError> {
        let daemon = DaemonStatus::of(StoreLock::holder(path).as_deref());
        let mut ids = reader.orders_by_number(&question.number)?;
        ids.extend(seen_orders(&question.sight));
        ids.sort_unstable();
        ids.dedup();
        let orders = ids
            .into_iter()
            .map(|id| order_life(reader, id, question, daemon.running));
        Ok(Self {
            version: SHAPE,
            number: question.number.clone(),
            taken_at: Moment(question.now),
            orders: orders.collect::<Result<_, _>>()?,
            daemon,
            source: match &question.sight {
                Sight::Answered(_) => SourceLife {
                    reachable: true,
                    reason: None,
                },
                Sight::Silent(reason) => SourceLife {
                    reachable: false,
                    reason: Some(reason.clone()),
                },
            },
        })
    }
}

fn order_life(
    reader: &Reader<'_>,
    id: i64,
    question: &Question,
    daemon_runs: bool,
) -> Result<OrderLife, StoreError> {
    let found = reader.feed_row(id)?;
    let seen = seen_of(&question.sight, id);
    let whole = match seen {
        Some(Seen::Whole(order)) => Some(order),
        _ => None,
    };
    let (row_website, feed) = match found {
        Some((row, deleted)) => (row.website, Some(feed_life(row, deleted))),
        None => (None, None),
    };
    let website = website_of(reader, row_website, whole)?;
    let sender = sender_of(reader, website.as_deref())?;
    let surroundings = Surroundings {
        now: question.now,
        data_space: question.data_space,
        daemon_runs,
        website: website.as_deref(),
        has_destination: website
            .as_ref()
            .is_some_and(|code| question.sending.contains(code)),
        sender: sender.as_ref(),
        facts: whole.map_or(&[], |order| order.facts.as_slice()),
    };
    let known = reader.events_of(id)?;
    let events = event_lives(reader, &known, &surroundings)?;
    let changes = changes(reader, id)?;
    let index_failure = reader.index_failure(id)?.map(|failure| FailureLife {
        reason: failure.reason,
        attempts: failure.attempts,
        due_at: Moment(failure.due_at),
    });
    let missing = whole.map_or_else(Vec::new, |order| {
        missing(
            order,
            &known,
            question,
            &changes,
            feed.as_ref(),
            index_failure.as_ref(),
            daemon_runs,
        )
    });
    let shop = match (&question.sight, seen) {
        (Sight::Silent(_), _) => None,
        (Sight::Answered(_), Some(seen)) => Some(shop_life(seen)),
        (Sight::Answered(_), None) => Some(gone()),
    };
    Ok(OrderLife {
        entity_id: id,
        website,
        summary: summary(&events, &missing, feed.as_ref(), index_failure.as_ref(), whole),
        shop,
        changes,
        feed,
        index_failure,
        sender,
        events,
        missing,
    })
}

fn seen_of(sight: &Sight, id: i64) -> Option<&Seen> {
    match sight {
        Sight::Answered(seen) => seen.iter().find(|seen| seen.id() == id),
        Sight::Silent(_) => None,
    }
}

fn feed_life(row: crate::store::feed::FeedRow, deleted: bool) -> FeedLife {
    FeedLife {
        hash: row
            .hash
            .map(|hash| hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()),
        exported: row.exported == Exported::Yes,
        follows: row.exported == Exported::OutboxFull,
        reason: row.exported.as_sentence(),
        deleted,
        modified_at: Moment(row.modified_at),
    }
}

/// The website by the feed, else by the source.
fn website_of(
    reader: &Reader<'_>,
    row: Option<i64>,
    seen: Option<&SeenOrder>,
) -> Result<Option<String>, StoreError> {
    let codes = reader.websites()?;
    let by_feed = row.and_then(|website| codes.into_iter().find(|(id, _)| *id == website));
    let by_source = || seen?.website.clone();
    Ok(by_feed.map(|(_, code)| code).or_else(by_source))
}

fn sender_of(reader: &Reader<'_>, website: Option<&str>) -> Result<Option<SenderStatus>, StoreError> {
    let Some(code) = website else { return Ok(None) };
    let websites = reader.websites()?;
    let Some((id, _)) = websites.iter().find(|(_, known)| known == code) else {
        return Ok(None);
    };
    let senders = reader.senders()?;
    let row = senders.iter().find(|sender| sender.website == *id);
    Ok(Some(SenderStatus::of(code, row)))
}

fn changes(reader: &Reader<'_>, id: i64) -> Result<Vec<ChangeLife>, StoreError> {
    let version = reader.view_state()?.map_or(0, |view| view.version);
    let mut changes: Vec<_> = reader
        .changes_of(id, MOST_CHANGES)?
        .into_iter()
        .map(|change| ChangeLife {
            version: change.version,
            table: change.table,
            op: change.op,
            observed_at: Moment(change.observed_at),
            indexed: change.version <= version,
        })
        .collect();
    changes.reverse();
    Ok(changes)
}

/// The order's life in one sentence: what needs a person first, then what waits, then what is fine.
fn summary(
    events: &[EventLife],
    missing: &[MissingLife],
    feed: Option<&FeedLife>,
    failure: Option<&FailureLife>,
    seen: Option<&SeenOrder>,
) -> String {
    let count = |state: &str| events.iter().filter(|event| event.state == state).count();
    let retried = events
        .iter()
        .filter(|event| event.export_status == Some("Failed, will retry"))
        .count();
    let unused = events
        .iter()
        .filter(|event| event.state == "suppressed" && event.export_status.is_some())
        .count();
    let withheld = missing
        .iter()
        .filter(|event| event.why.starts_with("withheld"))
        .count();
    let mut parts = Vec::new();
    for (number, words) in [
        (count("parked"), "failed and requires attention"),
        (retried, "failed and will be sent again"),
        (count("pending") - retried, "awaiting submission"),
        (missing.len() - withheld, "not an event yet"),
        (withheld, "withheld"),
        (count("suppressed") - unused, "given up"),
        (unused, "submitted and not used"),
        (count("delivered"), "submitted"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    }
    if !parts.is_empty() {
        return format!("events: {}", parts.join(", "));
    }
    if failure.is_some() {
        return "it has no events, because it could not be indexed".to_owned();
    }
    let withheld = feed
        .filter(|feed| !feed.exported)
        .map(|feed| feed.reason)
        .or_else(|| seen.map(|order| order.exported.as_sentence()));
    match withheld {
        Some(reason) => format!("it has no events: {reason}"),
        None => "it has no events".to_owned(),
    }
}
