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
            .args([
                "demo",
                "--orders",
                "20",
                "--rate",
                "0.5",
                "--packages",
                packages,
                "--keep",
            ])
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
        // Read on, so that the demo never waits for a full pipe.
        std::thread::spawn(move || lines.count());
        Self { child, shop }
    }

    /// Returns the rows of the page that shows what arrived at the edge.
    fn rows(&self) -> Vec<String> {
        let client = Client::browser(&Endpoint::Tcp(self.shop.parse().unwrap()));
        let answer = client.send("GET", "/edge/rows", None).unwrap();
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
