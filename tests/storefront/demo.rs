//! The pages of `orderfeed demo` in a browser: a purchase, and the back-office events of the same order beside it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use fantoccini::Locator;

use crate::storefront::stage::packages;
use crate::support::daemon::{binary, eventually};
use crate::web::browser::driver::{Browser, Look};
use crate::web::client::{Client, Endpoint};

/// The datastream of the demo's first website.
const DATASTREAM: &str = "de300000-0000-4000-8000-000000000000";

/// A running demo. It ends with this value.
struct Demo {
    child: Child,
    /// Address of the shop's pages.
    shop: String,
    /// The line about their events.
    notice: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo {
    fn start(directory: &std::path::Path, packages: &str) -> Self {
        let mut command = binary();
        command
            .args(["demo", "--orders", "20", "--rate", "0.5"])
            .args(["--packages", packages, "--keep"])
            .arg(directory.join("demo"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let address = lines.find_map(|line| {
            Some(
                line.strip_prefix("Shop: http://")?
                    .trim_end_matches('/')
                    .to_owned(),
            )
        });
        let shop = address.expect("the demo prints the address of its shop");
        let notice = lines
            .next()
            .expect("the demo prints whether the pages send events");
        // Read on, so that the demo never waits for a full pipe.
        std::thread::spawn(move || lines.count());
        Self { child, shop, notice }
    }

    fn client(&self) -> Client {
        Client::browser(&Endpoint::Tcp(self.shop.parse().unwrap()))
    }

    /// Returns the rows of the page that shows what arrived at the edge.
    fn rows(&self) -> Vec<String> {
        let answer = self.client().get("/edge/rows");
        answer.body.lines().map(str::to_owned).collect()
    }

    /// Waits until an event of this type has arrived, and returns its row.
    fn wait_for(&self, event: &str) -> String {
        let cell = format!("<td>{event}</td>");
        let find = || self.rows().into_iter().find(|row| row.contains(&cell));
        eventually(&format!("{event} arrives"), || find().is_some());
        find().unwrap()
    }
}

#[test]
fn without_adobe_s_packages_the_demo_names_the_command_and_the_shop_still_sells() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path(), directory.path().to_str().unwrap());
    assert!(
        demo.notice.starts_with("Its pages send no events: ") && demo.notice.contains("npm pack"),
        "{}",
        demo.notice
    );
    let page = demo.client().get("/product/24-MB01");
    assert!(page.body.contains("The pages send no events"), "{}", page.body);
    assert!(!page.body.contains("/storefront/"), "{}", page.body);

    let bag = r#"{"lines":[{"sku":"24-MB01","quantity":1}]}"#;
    let own = demo.client().with("Origin", "http://localhost:9187");
    let placed = own.send("POST", "/order", Some(bag)).unwrap();
    let order: serde_json::Value = serde_json::from_str(&placed.body).unwrap();
    assert_eq!(order["number"].as_str().unwrap().len(), 9, "{order}");
    let unknown = own
        .send("POST", "/order", Some(&bag.replace("24-MB01", "PENNY")))
        .unwrap();
    assert_eq!(unknown.status, 400);
    // Another site's page must not order.
    let foreign = demo.client().with("Origin", "https://elsewhere.test");
    assert_eq!(foreign.send("POST", "/order", Some(bag)).unwrap().status, 403);
    assert_eq!(demo.client().at_host("elsewhere.test").get("/").status, 421);
}

async fn click(browser: &Browser, id: &str) {
    let wait = browser.client.wait().at_most(Duration::from_secs(30));
    let button = wait.for_element(Locator::Id(id)).await.unwrap();
    button.click().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_of_the_demo_buys_something_and_both_halves_of_the_order_arrive() {
    let Some(packages) = packages() else { return };
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path(), packages);
    let base = format!("http://{}", demo.shop);
    let Some(browser) = Browser::start(&base, Look::DESKTOP).await else {
        return;
    };
    browser.open("/").await;
    browser
        .wait_for("May the shop measure your visit?", Look::DESKTOP)
        .await;
    browser.open("/product/24-MB01").await;
    click(&browser, "add").await;
    browser.wait_for("In the cart.", Look::DESKTOP).await;
    // Longer than Adobe's collector takes to set consent by itself.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(demo.rows()[0].contains("Nothing yet"), "{:?}", demo.rows());

    click(&browser, "allow").await;
    for event in [
        "web.webpagedetails.pageViews",
        "commerce.productViews",
        "commerce.productListAdds",
    ] {
        demo.wait_for(event);
    }
    browser.open("/checkout").await;
    demo.wait_for("commerce.checkouts");
    click(&browser, "order").await;
    browser.wait_for("is placed.", Look::DESKTOP).await;
    let text = browser.text().await;
    let (before, _) = text.split_once(" is placed.").unwrap();
    let number = before.rsplit(' ').next().unwrap().to_owned();

    let purchase = demo.wait_for("commerce.purchases");
    let placed = demo.wait_for("commerce.backofficeOrderPlaced");
    for (row, sender) in [(&purchase, "browser"), (&placed, "orderfeed")] {
        assert!(
            row.contains(&format!("/orders/{number}\"")),
            "order {number}: {row}"
        );
        assert!(
            row.contains(&format!("<td>{sender}</td>")) && row.contains("<td>Recorded</td>"),
            "{row}"
        );
    }
    for row in demo.rows() {
        assert!(row.contains(DATASTREAM), "{row}");
    }
    browser.close().await;
}
