//! Property: no text of a shop, a shopper or the edge changes the elements of a page.

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use proptest::prelude::*;

use crate::ops::recent::RecentLine;
use crate::ops::status::testing::{backfill, first_sync, snapshot, website};
use crate::store::outbox::{EventKey, ParkedEvent};
use crate::web::failed::{
    FailedDetail, FailedEvent, FailedFilter, FailedList, failed_event_page, failed_page,
};
use crate::web::history::history_page;
use crate::web::indexers::indexers_page;
use crate::web::log::{LogFilter, log_page};
use crate::web::overview::{Overview, overview_page};
use crate::web::reports::reports_page;
use crate::web::testing::operator;
use crate::web::traffic::Traffic;
use crate::web::{ActionResult, Confirmation, Notice, confirm_page, error_page, login_page, result_page};
use orderfeed_model::clock::UtcMillis;

/// Renders every kind of page with `text` wherever a text from outside can be.
fn pages(text: &str) -> Vec<String> {
    let mut frame = operator("/failed");
    frame.notice = Some(Notice {
        text: text.to_owned(),
        failed: true,
    });
    let mut snapshot = snapshot();
    snapshot.websites = vec![website(text)];
    snapshot.websites[0].sender.reason = text.to_owned();
    snapshot.first_syncs = vec![first_sync(text)];
    snapshot.backfills = vec![backfill()];
    snapshot.index_suspended_by = Some(text.to_owned());
    let overview = Overview {
        snapshot: &snapshot,
        traffic: &Traffic::default(),
        accepted: &std::collections::BTreeMap::new(),
        configured: vec![text.to_owned()],
    };
    let failed = failed(text);
    let list = FailedList {
        filter: FailedFilter {
            website: text.to_owned(),
            kind: text.to_owned(),
            code: text.to_owned(),
            older: "1h".to_owned(),
        },
        events: vec![failed.clone()],
        matching: 1,
        websites: vec![text.to_owned()],
        ..FailedList::default()
    };
    let detail = FailedDetail {
        failed,
        remedy: text.to_owned(),
        body: text.to_owned(),
    };
    let line = RecentLine {
        at: UtcMillis(1),
        level: "warn".to_owned(),
        code: Some(text.to_owned()),
        message: text.to_owned(),
        fields: vec![(text.to_owned(), text.to_owned())],
    };
    vec![
        overview_page(&frame, &overview),
        indexers_page(&frame, &snapshot),
        history_page(&frame, &snapshot),
        reports_page(&frame, &snapshot, &Traffic::default()),
        failed_page(&frame, &list),
        failed_event_page(&frame, &detail),
        log_page(&frame, &[line], &LogFilter::default()),
        login_page(&frame, Some(text), text),
        error_page(&frame, 404, text),
        confirm_page(&frame, &confirmation(text)),
        result_page(
            &frame,
            &ActionResult {
                title: text.to_owned(),
                lines: vec![text.to_owned()],
                command: text.to_owned(),
                back: "/".to_owned(),
                failed: false,
            },
        ),
    ]
}

fn failed(text: &str) -> FailedEvent {
    FailedEvent {
        event: ParkedEvent {
            key: EventKey {
                order: 1,
                kind: 1,
                document: 1,
                generation: 0,
            },
            website: 1,
            code: text.to_owned(),
            detail: format!("{text}\n{text}"),
            status: Some(400),
            request_id: Some(text.to_owned()),
            attempts: 1,
            parked_at: UtcMillis(1),
            body: None,
        },
        website: text.to_owned(),
        number: Some(text.to_owned()),
    }
}

fn confirmation(text: &str) -> Confirmation {
    Confirmation {
        title: text.to_owned(),
        sentence: text.to_owned(),
        preview: vec![text.to_owned()],
        command: text.to_owned(),
        hidden: vec![(text.to_owned(), text.to_owned())],
        action: "/actions/failed-retry".to_owned(),
        button: text.to_owned(),
        back: "/failed".to_owned(),
        is_final: false,
    }
}

/// Returns the names of the elements with those of their attributes, in their order.
fn elements(page: &str) -> Vec<String> {
    let dom = parse_document(RcDom::default(), ParseOpts::default()).one(page);
    let mut found = Vec::new();
    collect(&dom.document, &mut found);
    found
}

fn collect(node: &Handle, found: &mut Vec<String>) {
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes = attrs.borrow();
        let names = attributes
            .iter()
            .map(|attribute| attribute.name.local.to_string());
        // Which choice is selected depends on the text, by design.
        let names: Vec<String> = names.filter(|name| name != "selected").collect();
        found.push(format!("{} {}", name.local, names.join(" ")));
    }
    for child in node.children.borrow().iter() {
        collect(child, found);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_from_outside_adds_an_element_or_an_attribute(text in "[a-z]([<>&\"'=/ `a-z-]|<script>|--><|&#34;|\" onload=){0,12}") {
        let plain = pages("harmless");
        for (page, plain) in pages(&text).iter().zip(&plain) {
            prop_assert_eq!(elements(page), elements(plain), "{}", text);
        }
    }
}
