//! `/failed`: the parked events, grouped and as a list; `/failed/KEY`: one of them.

use askama::Template;

use crate::ops::sentence::{count, event_key};
use crate::store::outbox::{ParkedEvent, ParkedGroup};
use crate::web::parts::{Stamp, link, order_link};
use crate::web::{Frame, rendered};
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;

/// Ages that can be chosen.
const AGES: [(&str, &str); 4] = [
    ("1h", "1 hour ago"),
    ("1d", "1 day ago"),
    ("7d", "7 days ago"),
    ("30d", "30 days ago"),
];

/// The filter in the page's address; an empty text is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedFilter {
    pub website: String,
    pub kind: String,
    pub code: String,
    /// A duration such as `1h`: parked before that time.
    pub older: String,
}

/// The data of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedList {
    pub filter: FailedFilter,
    pub groups: Vec<NamedGroup>,
    pub events: Vec<FailedEvent>,
    /// Number of events that match the filter.
    pub matching: u64,
    /// Place of the next page; empty on the last one.
    pub next: String,
    /// True if this is not the first page.
    pub is_continued: bool,
    /// Codes of all websites.
    pub websites: Vec<String>,
}

/// A group with the code of its website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedGroup {
    pub website: String,
    pub group: ParkedGroup,
}

/// A parked event with the names that the store has for its ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedEvent {
    pub event: ParkedEvent,
    pub website: String,
    /// Number of the order; `None` if its feed row was deleted.
    pub number: Option<String>,
}

/// One event with its body and the advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDetail {
    pub failed: FailedEvent,
    pub remedy: String,
    /// The JSON with indentation; empty if it could not be rendered.
    pub body: String,
}

#[derive(Template)]
#[template(path = "failed.html")]
struct FailedTemplate<'a> {
    frame: &'a Frame,
    list: &'a FailedList,
    filter: &'a FailedFilter,
}

#[derive(Template)]
#[template(path = "failed_event.html")]
struct FailedEventTemplate<'a> {
    frame: &'a Frame,
    detail: &'a FailedDetail,
    failed: &'a FailedEvent,
    key: String,
}

/// Renders groups and list.
pub fn failed_page(frame: &Frame, list: &FailedList) -> String {
    let filter = &list.filter;
    rendered(FailedTemplate { frame, list, filter })
}

/// Renders one event. The caller has checked that the viewer is an operator: the body may be personal data.
pub fn failed_event_page(frame: &Frame, detail: &FailedDetail) -> String {
    let failed = &detail.failed;
    rendered(FailedEventTemplate {
        frame,
        detail,
        failed,
        key: event_key(failed.event.key),
    })
}

impl FailedFilter {
    fn link(&self, more: &[(&str, &str)]) -> String {
        let own = [
            ("website", self.website.as_str()),
            ("kind", &self.kind),
            ("code", &self.code),
            ("older", &self.older),
        ];
        let kept = own
            .into_iter()
            .filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
        link("/failed", &kept.chain(more.iter().copied()).collect::<Vec<_>>())
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the rest of the command line that selects the same events.
    fn arguments(&self) -> String {
        let mut text = String::new();
        for (option, value) in [
            ("--website", &self.website),
            ("--kind", &self.kind),
            ("--code", &self.code),
        ] {
            if !value.is_empty() {
                text.push_str(&format!(" {option} {value}"));
            }
        }
        if !self.older.is_empty() {
            text.push_str(" --until TIME");
        }
        match text.is_empty() {
            true => " --all".to_owned(),
            false => text,
        }
    }
}

impl FailedTemplate<'_> {
    fn kinds(&self) -> impl Iterator<Item = &'static str> {
        EventKind::ALL.into_iter().map(EventKind::as_str)
    }

    fn ages(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        AGES.into_iter()
    }

    fn kind(&self, group: &ParkedGroup) -> &'static str {
        kind(group.kind)
    }

    fn title<'e>(&self, event: &'e ParkedEvent) -> &'e str {
        title(event)
    }

    fn key(&self, event: &ParkedEvent) -> String {
        event_key(event.key)
    }

    fn age(&self, at: &UtcMillis) -> Stamp {
        Stamp::age(*at, self.frame.now)
    }

    fn group_link(&self, named: &NamedGroup) -> String {
        let group = &named.group;
        let parts = [
            ("website", named.website.as_str()),
            ("kind", kind(group.kind)),
            ("code", &group.code),
        ];
        self.filter.link(&parts)
    }

    fn counted(&self) -> String {
        let (events, groups) = (self.list.matching, self.list.groups.len() as u64);
        format!("{} in {}", count(events, "failed event"), count(groups, "group"))
    }

    fn next_link(&self) -> String {
        self.filter.link(&[("after", &self.list.next)])
    }

    fn first_link(&self) -> String {
        self.filter.link(&[])
    }

    fn order_link(&self, number: &str) -> String {
        order_link(number)
    }
}

impl FailedEventTemplate<'_> {
    fn parked(&self) -> Stamp {
        Stamp::second(self.failed.event.parked_at)
    }

    fn title(&self) -> &str {
        title(&self.failed.event)
    }

    /// Returns the edge's own text, which may quote the event.
    fn rest(&self) -> &str {
        self.failed
            .event
            .detail
            .split_once('\n')
            .map_or("", |(_, rest)| rest)
    }

    fn order_link(&self, number: &str) -> String {
        order_link(number)
    }
}

fn kind(code: u8) -> &'static str {
    EventKind::from_code(code).map_or("unknown", EventKind::as_str)
}

fn title(event: &ParkedEvent) -> &str {
    match event.title() {
        "" => "refused without a title",
        title => title,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::EventKey;
    use crate::web::testing::{HOSTILE, frame, operator};

    fn event() -> FailedEvent {
        FailedEvent {
            event: ParkedEvent {
                key: EventKey {
                    order: 1042,
                    kind: 2,
                    document: 77,
                    generation: 0,
                },
                website: 1,
                code: "EXEG-0102-400".to_owned(),
                detail: format!("{HOSTILE}\nthe value {HOSTILE} is not an integer"),
                status: Some(400),
                request_id: Some(HOSTILE.to_owned()),
                attempts: 1,
                parked_at: UtcMillis(4_000),
                body: None,
            },
            website: HOSTILE.to_owned(),
            number: Some(HOSTILE.to_owned()),
        }
    }

    fn list() -> FailedList {
        let failed = event();
        let group = ParkedGroup {
            website: 1,
            kind: 2,
            code: "EXEG-0102-400".to_owned(),
            events: 2,
            sample: failed.event.clone(),
        };
        FailedList {
            filter: FailedFilter {
                website: HOSTILE.to_owned(),
                older: "1d".to_owned(),
                ..FailedFilter::default()
            },
            groups: vec![NamedGroup {
                website: HOSTILE.to_owned(),
                group,
            }],
            events: vec![failed],
            matching: 2,
            next: "4000.1042:invoiced:77".to_owned(),
            is_continued: true,
            websites: vec!["base".to_owned(), HOSTILE.to_owned()],
        }
    }

    #[test]
    fn an_operator_may_retry_and_discard_selected_or_all_matching() {
        let page = failed_page(&operator("/failed"), &list());
        assert!(!page.contains(HOSTILE));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn an_anonymous_viewer_sees_no_order_number_and_no_action() {
        let mut shown = list();
        shown.events[0].number = Some("000001042".to_owned());
        let page = failed_page(&frame("/failed"), &shown);
        assert!(
            !page.contains("000001042") && !page.contains("/actions/"),
            "{page}"
        );
        insta::assert_snapshot!(page);
    }

    #[test]
    fn nothing_parked_is_good_news() {
        insta::assert_snapshot!(failed_page(&frame("/failed"), &FailedList::default()));
    }

    #[test]
    fn one_event_has_its_reason_advice_and_body() {
        let detail = FailedDetail {
            failed: event(),
            remedy: "compare the datastream's schema with docs/EVENTS.md".to_owned(),
            body: format!("{{ \"name\": \"{HOSTILE}\" }}"),
        };
        let page = failed_event_page(&operator("/failed/1042:invoiced:77"), &detail);
        assert!(!page.contains(HOSTILE));
        insta::assert_snapshot!(page);
    }
}
