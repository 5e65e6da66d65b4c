//! The pages as an HTTP client reads them: links, valid HTML, sizes, and nothing personal without a login.

use std::collections::{BTreeMap, BTreeSet};

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::web::client::Client;
use crate::web::fixture::{Listen, Site};

/// Most bytes of a page with its style sheet, script and icon.
const BUDGET: usize = 60_000;

/// Links that lead to texts for programs.
const FOR_PROGRAMS: [&str; 4] = ["/status", "/metrics", "/healthz", "/readyz"];

/// Texts that end an attribute, a tag or a script.
const HOSTILE: &str = "\"'><script>alert(1)</script>";

#[tokio::test(flavor = "multi_thread")]
async fn every_link_leads_to_a_valid_page_within_its_budget() {
    let mut site = Site::start(Listen::Unix, 30).await;
    site.settle();
    park_one(&mut site);
    let client = site.program();
    let assets: usize = ["/style.css", "/app.js", "/icon.svg"]
        .map(|path| client.get(path).body.len())
        .iter()
        .sum();
    let pages = crawl(&client);
    assert!(pages.len() > 20, "the links were not found: {:?}", pages.keys());
    for (path, body) in &pages {
        let errors = parse(body).errors.take();
        assert!(errors.is_empty(), "{path}: {errors:?}");
        assert!(
            body.len() + assets < BUDGET,
            "{path} has {} bytes, its files {assets}",
            body.len()
        );
    }
    let script = client.get("/app.js").body.len();
    assert!(script < 3_000, "the script has {script} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_nothing_is_personal() {
    let mut site = Site::start(Listen::Tcp, 10).await;
    site.settle();
    let order = park_one(&mut site);
    let number: String = site
        .shop
        .sql()
        .query_row(
            "SELECT increment_id FROM sales_order WHERE entity_id = ?1",
            [order],
            |row| row.get(0),
        )
        .unwrap();
    let browser = site.browser();
    for path in [
        format!("/orders/{number}"),
        format!("/failed/{order}:placed:{order}"),
    ] {
        let refused = browser.get(&path);
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.body.contains("orderfeed admin set-password"), "{path}");
    }
    for (path, body) in crawl(&browser) {
        assert!(!body.contains(&number), "{path} names order {number}");
        assert!(!body.contains("/actions/"), "{path} offers an action");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_parameters_and_numbers_are_escaped() {
    let site = Site::start(Listen::Unix, 3).await;
    site.settle();
    let client = site.program();
    let encoded: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    for path in [
        format!("/failed?website={encoded}&kind={encoded}&code={encoded}"),
        format!("/failed?older={encoded}"),
        format!("/failed?after={encoded}"),
        format!("/failed/{encoded}"),
        format!("/orders/{encoded}"),
        format!("/connector?website={encoded}"),
        format!("/log?level={encoded}&code={encoded}"),
        format!("/log/{encoded}"),
        format!("/login?next={encoded}"),
    ] {
        let answer = client.get(&path);
        assert!(!answer.body.contains("<script>alert"), "{path}: {}", answer.body);
        assert!(answer.status < 500, "{path}: {}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_found_by_its_number() {
    let site = Site::start(Listen::Unix, 5).await;
    site.settle();
    let number: String = site
        .shop
        .sql()
        .query_row("SELECT increment_id FROM sales_order LIMIT 1", [], |row| {
            row.get(0)
        })
        .unwrap();
    let client = site.program();
    let found = client.get(&format!("/orders?number={number}"));
    let page = client.get(found.target());
    assert_eq!(page.status, 200);
    for text in [
        "Placed in the shop",
        "Indexed",
        "Queued",
        "Accepted",
        "Resend this order",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let unknown = client.get("/orders/nothing");
    assert!(
        unknown.body.contains("No order has this number"),
        "{}",
        unknown.body
    );
}

/// Parks the placed event of a new order, and returns the order.
fn park_one(site: &mut Site) -> i64 {
    let order = site.shop.place();
    edge::refuse_placed(&site.edge, order);
    let parked = |reader: &orderfeed::store::Reader<'_>| {
        reader.parked(&orderfeed::store::outbox::ParkedFilter::default(), 1)
    };
    eventually("the event is parked", || {
        site.shop
            .installation
            .read_store(parked)
            .is_some_and(|events| !events.is_empty())
    });
    order
}

/// Reads every page that links lead to, from the overview on.
fn crawl(client: &Client) -> BTreeMap<String, String> {
    let mut waiting = BTreeSet::from(["/".to_owned(), "/log/OF06-01".to_owned()]);
    let mut pages = BTreeMap::new();
    while let Some(path) = waiting.pop_first() {
        let answer = client.get(&path);
        // Without a login some links lead to its page, which is a page as well.
        assert!(answer.status == 200, "{path}: {}", answer.status);
        let links = links(&parse(&answer.body).document);
        pages.insert(path, answer.body);
        waiting.extend(links.into_iter().filter(|link| !pages.contains_key(link)));
    }
    pages
}

fn parse(body: &str) -> RcDom {
    parse_document(RcDom::default(), ParseOpts::default()).one(body)
}

/// Returns the links to pages of this host, without their fragments.
fn links(node: &Handle) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let NodeData::Element { name, attrs, .. } = &node.data
        && &*name.local == "a"
    {
        let attributes = attrs.borrow();
        let target = attributes
            .iter()
            .find(|attribute| &*attribute.name.local == "href");
        let path = target.map(|attribute| attribute.value.split('#').next().unwrap_or_default().to_owned());
        found.extend(path.filter(|path| path.starts_with('/') && !FOR_PROGRAMS.contains(&path.as_str())));
    }
    for child in node.children.borrow().iter() {
        found.extend(links(child));
    }
    found
}
