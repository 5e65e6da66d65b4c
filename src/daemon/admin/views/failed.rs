//! The pages of parked events.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::config::HumanDuration;
use crate::daemon::admin::views::data::ViewData;
use crate::daemon::admin::views::framed::Framed;
use crate::daemon::admin::views::page::{Page, found, refused, unreadable};
use crate::daemon::admin::views::query::Query;
use crate::daemon::control::selection::Key;
use crate::ops::explain::parked_remedy;
use crate::store::meta::WebsiteId;
use crate::store::outbox::{ParkedEvent, ParkedPlace, ParkedQuery};
use crate::store::{Reader, StoreError};
use crate::web::failed::{
    FailedDetail, FailedEvent, FailedFilter, FailedList, NamedGroup, failed_event_page, failed_page,
};
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;

const PAGE: usize = 50;

type Websites = [(WebsiteId, String)];

pub(super) async fn list(State(data): State<Arc<ViewData>>, Framed(frame): Framed, query: Query) -> Page {
    let filter = FailedFilter {
        website: query.text("website"),
        kind: query.text("kind"),
        code: query.text("code"),
        older: query.text("older"),
    };
    let until = match filter.older.parse::<HumanDuration>() {
        Ok(age) => Some(
            frame
                .now
                .plus_millis(-i64::try_from(age.get().as_millis()).unwrap_or(i64::MAX)),
        ),
        Err(_) if filter.older.is_empty() => None,
        Err(_) => {
            let text = "The age is not a duration such as 1h or 7d.";
            return refused(&frame, StatusCode::BAD_REQUEST, text);
        }
    };
    let after = place(query.get("after"));
    let read = data
        .store
        .read(move |reader| read_list(reader, filter, until, after))
        .await;
    match read {
        Ok(list) => found(failed_page(&frame, &list)),
        Err(error) => unreadable(&frame, &error),
    }
}

pub(super) async fn event(
    State(data): State<Arc<ViewData>>,
    Framed(frame): Framed,
    Path(key): Path<String>,
) -> Page {
    // The edge's text and the body may name a person.
    if !frame.is_operator() {
        let text = "A failed event may hold personal data, so it is shown to operators only.";
        return refused(&frame, StatusCode::FORBIDDEN, text);
    }
    let Ok(Key(parsed)) = key.parse::<Key>() else {
        return refused(&frame, StatusCode::NOT_FOUND, "The address names no event.");
    };
    let read = move |reader: &Reader<'_>| {
        let Some(event) = reader.parked_event(parsed)? else {
            return Ok(None);
        };
        Ok(Some(named(reader, &reader.websites()?, event)?))
    };
    match data.store.read(read).await {
        Ok(Some(failed)) => found(failed_event_page(&frame, &detail(failed))),
        Ok(None) => {
            let text = "This event is not parked: it was retried, discarded, or never refused.";
            refused(&frame, StatusCode::NOT_FOUND, text)
        }
        Err(error) => unreadable(&frame, &error),
    }
}

fn read_list(
    reader: &Reader<'_>,
    filter: FailedFilter,
    until: Option<UtcMillis>,
    after: Option<ParkedPlace>,
) -> Result<FailedList, StoreError> {
    let websites = reader.websites()?;
    let codes = websites.iter().map(|(_, code)| code.clone()).collect();
    let Some(query) = query_of(&filter, &websites, until) else {
        // A website or a kind that does not exist has no events.
        return Ok(FailedList {
            filter,
            websites: codes,
            ..FailedList::default()
        });
    };
    let mut events = reader.parked_after(&query, after, PAGE + 1)?;
    let has_more = events.len() > PAGE;
    events.truncate(PAGE);
    let last = events.last().filter(|_| has_more);
    let next = last.map_or_else(String::new, |event| {
        format!("{}.{}", event.parked_at.0, Key(event.key))
    });
    let groups = reader.parked_groups(&query)?.into_iter();
    Ok(FailedList {
        matching: reader.count_parked(&query)?,
        groups: groups
            .map(|group| NamedGroup {
                website: name_of(group.website, &websites),
                group,
            })
            .collect(),
        events: events
            .into_iter()
            .map(|event| named(reader, &websites, event))
            .collect::<Result<_, _>>()?,
        next,
        is_continued: after.is_some(),
        websites: codes,
        filter,
    })
}

/// Returns the query of a filter; `None` if it names a website or a kind that does not exist.
fn query_of(filter: &FailedFilter, websites: &Websites, until: Option<UtcMillis>) -> Option<ParkedQuery> {
    let website = match filter.website.as_str() {
        "" => None,
        code => Some(websites.iter().find(|(_, known)| known == code)?.0),
    };
    let kind = match filter.kind.as_str() {
        "" => None,
        name => Some(name.parse::<EventKind>().ok()?.code()),
    };
    let code = Some(filter.code.clone()).filter(|code| !code.is_empty());
    Some(ParkedQuery {
        website,
        kind,
        code,
        until,
    })
}

/// Parses the place of a page, as [`read_list`] writes it.
fn place(text: &str) -> Option<ParkedPlace> {
    let (at, key) = text.split_once('.')?;
    let Key(key) = key.parse().ok()?;
    Some((UtcMillis(at.parse().ok()?), key))
}

fn name_of(id: WebsiteId, websites: &Websites) -> String {
    let found = websites.iter().find(|(known, _)| *known == id);
    found.map_or_else(|| id.to_string(), |(_, code)| code.clone())
}

fn named(reader: &Reader<'_>, websites: &Websites, event: ParkedEvent) -> Result<FailedEvent, StoreError> {
    Ok(FailedEvent {
        website: name_of(event.website, websites),
        number: reader.feed_row(event.key.order)?.map(|(feed, _)| feed.number),
        event,
    })
}

fn detail(failed: FailedEvent) -> FailedDetail {
    let kind = EventKind::from_code(failed.event.key.kind);
    let body = failed.event.body.as_deref();
    let parsed = body.and_then(|body| serde_json::from_slice::<serde_json::Value>(body).ok());
    FailedDetail {
        remedy: kind.map_or_else(String::new, |kind| parked_remedy(&failed.event, kind)),
        body: parsed.map_or_else(String::new, |json| format!("{json:#}")),
        failed,
    }
}
