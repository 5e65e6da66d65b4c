//! The actions of the pages: each does what its command does, after a question where it is bulk or cannot be undone.

use orderfeed::store::outbox::ParkedFilter;
use orderfeed::store::views::{IndexerStatus, ViewMode};

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::web::client::{Answer, Client};
use crate::web::fixture::{Listen, Site};

/// The page that shows the notices.
const PAGE: &str = "/about";

impl Site {
    /// Sends the form of an action and returns the notice of the following page.
    #[track_caller]
    fn act(&self, name: &str, fields: &[(&str, &str)]) -> String {
        let browser = self.browser();
        let answer = browser.post(&path(name), fields);
        notice(&browser, &answer)
    }

    /// Sends the form, checks the question, confirms it, and returns the notice.
    #[track_caller]
    fn act_and_confirm(&self, name: &str, fields: &[(&str, &str)], expected: &[&str]) -> String {
        let browser = self.browser();
        let question = browser.post(&path(name), fields);
        assert_eq!(question.status, 200, "{question:?}");
        for text in expected {
            assert!(question.body.contains(text), "{text}: {question:?}");
        }
        let answer = browser.confirm(&path(name), &question);
        notice(&browser, &answer)
    }

    fn index(&self) -> orderfeed::ops::status::IndexSnapshot {
        self.shop.installation.index().unwrap()
    }

    fn parked(&self) -> usize {
        let read = |reader: &orderfeed::store::Reader<'_>| reader.parked(&ParkedFilter::default(), 1000);
        self.shop
            .installation
            .read_store(read)
            .map_or(0, |events| events.len())
    }
}

fn path(name: &str) -> String {
    format!("/actions/{name}")
}

/// Follows the redirect of an action and returns the notice of the page.
#[track_caller]
fn notice(browser: &Client, answer: &Answer) -> String {
    let page = browser.get(answer.target());
    let text = page.body.split("role=\"status\"><strong>").nth(1);
    let text = text.unwrap_or_else(|| panic!("no notice: {page:?}"));
    text.split("</p>")
        .next()
        .unwrap()
        .replace("</strong>", "")
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_and_the_status_of_the_index_are_set() {
    let site = Site::start(Listen::Unix, 3).await;
    site.settle();
    let done = site.act("index-mode", &[("mode", "realtime"), ("next", PAGE)]);
    assert!(done.contains("Update on Save now"), "{done}");
    assert_eq!(site.index().mode, ViewMode::Realtime);
    let again = site.act("index-mode", &[("mode", "realtime"), ("next", PAGE)]);
    assert!(again.contains("already"), "{again}");
    site.act("index-mode", &[("mode", "schedule"), ("next", PAGE)]);
    assert_eq!(site.index().mode, ViewMode::Schedule);

    site.act("index-suspend", &[("next", PAGE)]);
    assert_eq!(site.index().status, IndexerStatus::Suspended);
    let log = site.shop.installation.log();
    assert!(
        log.contains("action=index-suspend") && log.contains("who=\"uid "),
        "{log}"
    );
    site.act("index-resume", &[("next", PAGE)]);
    assert_eq!(site.index().status, IndexerStatus::Valid);

    let unconfirmed = site.browser().post(&path("index-invalidate"), &[("next", PAGE)]);
    assert_eq!(unconfirmed.status, 200, "{unconfirmed:?}");
    assert_eq!(site.index().status, IndexerStatus::Valid);
    let expected = ["holds 3 orders", "orderfeed indexer:reset"];
    site.act_and_confirm("index-invalidate", &[("next", PAGE)], &expected);
    // The next scheduled run, within a second, makes it valid again.
    eventually("the index is rebuilt", || {
        site.index().status == IndexerStatus::Valid
    });
    let done = site.act_and_confirm("index-reindex", &[("next", PAGE)], &["orderfeed indexer:reindex"]);
    assert!(done.contains("3 orders, 0 new events"), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_and_an_unknown_one_is_refused() {
    let site = Site::start(Listen::Unix, 3).await;
    site.settle();
    let done = site.act("job-run", &[("job", "cleanup_delivered_events"), ("next", PAGE)]);
    assert!(done.contains("cleanup_delivered_events: "), "{done}");
    let history = site.shop.installation.run(&["cron", "history", "--json"]).ok();
    assert!(history.contains("cleanup_delivered_events"), "{history}");
    let refused = site.act("job-run", &[("job", "\"><script>"), ("next", PAGE)]);
    assert!(
        refused.contains("Not done.") && !refused.contains("<script>"),
        "{refused}"
    );
    assert!(site.shop.installation.log().contains("OF09-02"));
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_of_one_website_is_paused_and_resumed() {
    let site = Site::start(Listen::Unix, 12).await;
    site.settle();
    let done = site.act("delivery-pause", &[("website", "base"), ("next", PAGE)]);
    assert!(done.contains("Paused: base."), "{done}");
    let paused = || {
        let states = site.sender_states().into_iter();
        states.filter(|state| state == "paused").count()
    };
    assert_eq!(paused(), 1);
    let again = site.act("delivery-pause", &[("website", "base"), ("next", PAGE)]);
    assert!(again.contains("paused already"), "{again}");
    site.act("delivery-resume", &[("next", PAGE)]);
    assert_eq!(paused(), 0);
    let unknown = site.act("delivery-pause", &[("website", "no such"), ("next", PAGE)]);
    assert!(unknown.contains("Not done."), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_events_are_retried_and_discarded() {
    let mut site = Site::start(Listen::Unix, 3).await;
    site.settle();
    let orders: Vec<i64> = (0..3)
        .map(|_| {
            // Each is refused until the edge is reset below.
            let order = site.shop.place();
            edge::refuse_placed(&site.edge, order);
            order
        })
        .collect();
    eventually("the events are parked", || site.parked() == 3);
    let none = site.act("failed-retry", &[("code", "EXEG-0000-400"), ("next", PAGE)]);
    assert!(none.contains("No parked event matches"), "{none}");
    let none = site.act("failed-retry", &[("kind", "refunded"), ("next", PAGE)]);
    assert!(none.contains("No parked event matches"), "{none}");
    let none = site.act("failed-retry", &[("older", "1d"), ("next", PAGE)]);
    assert!(none.contains("No parked event matches"), "{none}");
    assert_eq!(site.parked(), 3);

    let key = format!("{}:placed:{}", orders[0], orders[0]);
    let fields = [("key", key.as_str()), ("reason", "a test order"), ("next", PAGE)];
    let command = format!("orderfeed failed discard {key} --reason");
    let expected = ["1 event will be never sent", command.as_str()];
    let done = site.act_and_confirm("failed-discard", &fields, &expected);
    assert!(done.contains("1 event discarded"), "{done}");
    assert_eq!(site.parked(), 2);
    let log = site.shop.installation.log();
    assert!(
        log.contains(&format!("keys={key}")) && !log.contains("a test order"),
        "{log}"
    );

    site.edge.reset();
    let fields = [("kind", "placed"), ("older", "0s"), ("next", PAGE)];
    let done = site.act_and_confirm("failed-retry", &fields, &["2 events will be sent again"]);
    assert!(done.contains("2 events queued"), "{done}");
    eventually("both are delivered", || {
        site.parked() == 0 && site.shop.installation.pending() == 0
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_resent_with_the_same_ids() {
    let site = Site::start(Listen::Unix, 3).await;
    site.settle();
    let number = first_number(&site);
    let (ids, requests) = (site.edge.unique_ids(), site.edge.requests().len());
    let fields = [("number", number.as_str()), ("next", PAGE)];
    let command = format!("--force --by-ids {number}");
    let expected = ["of them again, with the same ids", command.as_str()];
    let done = site.act_and_confirm("order-resend", &fields, &expected);
    assert!(done.contains("1 order processed"), "{done}");
    eventually("the events are sent again", || {
        site.edge.requests().len() > requests && site.shop.installation.pending() == 0
    });
    assert_eq!(site.edge.unique_ids(), ids);
    let unknown = site.act("order-resend", &[("number", "x1"), ("next", PAGE)]);
    assert!(unknown.contains("The source has no order x1"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn order_history_is_counted_started_and_stopped() {
    let site = Site::start(Listen::Unix, 400).await;
    site.settle();
    let nothing = site.act("history-start", &[("to", "2001-01-01"), ("next", PAGE)]);
    assert!(nothing.contains("No order was created in this time"), "{nothing}");
    let done = site.act_and_confirm(
        "history-start",
        &[("from", "2001-01-01"), ("next", PAGE)],
        &[
            "400 orders will be read",
            "orderfeed saas:resync --feed orders --from 2001-01-01T00:00:00.000Z",
        ],
    );
    assert!(
        done.contains("400 orders processed") || done.contains("It has begun"),
        "{done}"
    );
    let none = site.act("history-stop", &[("next", PAGE)]);
    assert!(none.contains("No resync is running"), "{none}");
    let none = site
        .shop
        .installation
        .run(&["saas:resync", "--feed", "orders", "--stop"])
        .ok();
    assert_eq!(none, "No resync is running\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_resync_is_stopped_between_two_pages() {
    // Single orders, so that it takes a while.
    let site = Site::start_with(Listen::Unix, 1500, "[index]\nbatch_size = 1\n").await;
    site.settle();
    let browser = site.browser();
    let name = path("history-start");
    let question = browser.post(&name, &[("from", "2001-01-01"), ("next", PAGE)]);
    assert!(question.body.contains("orders will be read"), "{question:?}");
    let running = || {
        let backfills = site
            .shop
            .installation
            .read_store(|reader| reader.running_backfills());
        backfills.is_some_and(|backfills| !backfills.is_empty())
    };
    std::thread::scope(|scope| {
        scope.spawn(|| browser.confirm(&name, &question));
        eventually("the resync runs", running);
        let stopped = site.act("history-stop", &[("next", PAGE)]);
        assert!(stopped.contains("The resync was stopped after"), "{stopped}");
    });
    assert!(!running());
    // The action that started it ends as well, before the end of the history.
    eventually("the start is logged as stopped", || {
        let log = site.shop.installation.log();
        let ended = |line: &str| line.contains("OF09-02") && line.contains("action=history-start");
        log.lines()
            .any(|line| ended(line) && line.contains("an operator stopped the resync"))
    });
    let again = site.act("history-stop", &[("next", PAGE)]);
    assert!(again.contains("No resync is running"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_is_tested_and_shown_with_its_verdict() {
    let site = Site::start(Listen::Unix, 0).await;
    let fields = [("website", "base"), ("next", PAGE)];
    let page = site.browser().post(&path("test-connection"), &fields);
    assert_eq!(page.status, 200, "{page:?}");
    let command = "orderfeed test-connection --website base";
    for text in ["Verdict: OK, events can be delivered", "Website base", command] {
        assert!(page.body.contains(text), "{text}: {page:?}");
    }
    assert!(!page.body.contains(edge::SECRET));
    let unknown = site
        .browser()
        .post(&path("test-connection"), &[("website", "no")]);
    assert_eq!(unknown.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_does_not_exist_and_one_without_its_fields_are_refused() {
    let site = Site::start(Listen::Unix, 0).await;
    assert_eq!(site.browser().post(&path("drop-store"), &[]).status, 404);
    let missing = site.browser().post(&path("job-run"), &[]);
    assert_eq!(missing.status, 400);
    assert!(missing.body.contains("The field job is missing"), "{missing:?}");
    let method = site.browser().send("GET", &path("job-run"), None).unwrap();
    assert!([404, 405].contains(&method.status), "{method:?}");
}

/// Returns the number of an order that the feed holds.
fn first_number(site: &Site) -> String {
    let number = site
        .shop
        .sql()
        .query_row("SELECT increment_id FROM sales_order LIMIT 1", [], |row| {
            row.get(0)
        });
    number.unwrap()
}
