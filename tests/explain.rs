//! `explain` shows the whole life of an order: beside a running daemon, without one, and without the source.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use orderfeed::store::StoreView;
use orderfeed::store::outbox::ParkedFilter;
use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::{DEFAULT_DATASTREAM, Emulator, EmulatorConfig, EmulatorHandle};
use orderfeed_model::clock::Clock;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::leaks;

const PATIENCE: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 86_400_000;

struct Site {
    dir: tempfile::TempDir,
    emulator: EmulatorHandle,
}

impl Drop for Site {
    fn drop(&mut self) {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        if !std::thread::panicking() {
            leaks::assert_none("the log", &log);
        }
    }
}

impl Site {
    /// Creates a shop with a history of thirty orders, and an edge.
    async fn new() -> Self {
        let emulator = Emulator::start(EmulatorConfig::default()).await.unwrap();
        let site = Self {
            dir: tempfile::tempdir().unwrap(),
            emulator,
        };
        let mut file = EmbeddedShop::open(&site.path("shop.db")).unwrap();
        let mut shop = Shop::new(ShopOptions::default());
        file.commit(&shop.open_statements()).unwrap();
        let now = Clock::System.now();
        let span = Span {
            orders: 30,
            from: now.plus_millis(-10 * DAY_MS),
            to: now.plus_millis(-DAY_MS),
        };
        for batch in history::batches(&mut shop, span) {
            file.commit(&batch).unwrap();
        }
        site.configure();
        site
    }

    fn configure(&self) {
        let mut text = format!(
            "[services_connector]\norganization_id = \"53A16ACB5CC1D3760A495C99@AdobeOrg\"\n\
             production.data_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\n\
             [edge]\nurl = \"{}\"\nauth = \"none\"\n\
             [source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"shop.db\"\npoll_interval = \"50ms\"\n\
             [index]\nmode = \"realtime\"\n[delivery.retry]\ninitial = \"50ms\"\nmax = \"200ms\"\n\
             [store]\npath = \"orderfeed.db\"\n[admin]\nlisten = \"off\"\n",
            self.emulator.edge_url()
        );
        for code in Shop::website_codes() {
            text.push_str(&format!(
                "[websites.{code}]\ndatastream_id = \"{DEFAULT_DATASTREAM}\"\nback_office_events = true\n"
            ));
        }
        std::fs::write(self.path("orderfeed.toml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderfeed"));
        command
            .env_clear()
            .env("ORDERFEED_CONFIG", self.path("orderfeed.toml"))
            .kill_on_drop(true);
        command
    }

    fn daemon(&self) -> Child {
        let mut command = self.command();
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("log"));
        command.arg("run").stdout(Stdio::null()).stderr(log.unwrap());
        command.spawn().unwrap()
    }

    async fn run(&self, args: &[&str]) -> (i32, String) {
        let output = self.command().args(args).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    }

    async fn json(&self, number: &str) -> Value {
        let (_, text) = self.run(&["explain", number, "--json"]).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Runs `explain` for order `number` until its report satisfies `wanted`.
    async fn json_when(&self, number: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let asked = async {
            loop {
                let life = self.json(number).await;
                if wanted(&life) {
                    return life;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("in time")
    }
}

/// Returns the number of an order in the shop.
fn some_number(shop: &Path) -> String {
    let connection = rusqlite::Connection::open(shop).unwrap();
    let sql = "SELECT increment_id FROM sales_order WHERE store_id IS NOT NULL ORDER BY entity_id LIMIT 1";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn events(life: &Value) -> Vec<&Value> {
    let orders = life["orders"].as_array().unwrap();
    orders
        .iter()
        .flat_map(|order| order["events"].as_array().unwrap())
        .collect()
}

fn all_submitted(life: &Value) -> bool {
    let orders = life["orders"].as_array().unwrap();
    let complete = |order: &Value| order["missing"].as_array().unwrap().is_empty();
    let events = events(life);
    !events.is_empty()
        && orders.iter().all(complete)
        && events.iter().all(|event| event["export_status"] == "Submitted")
}

#[tokio::test]
async fn an_orders_life_is_explained_from_the_shop_to_the_answer() {
    let site = Site::new().await;
    site.emulator
        .script_json(json!([{ "status": 503, "code": "0000" }, { "status": 503, "code": "0000" }]))
        .unwrap();
    let number = some_number(&site.path("shop.db"));
    let mut daemon = site.daemon();
    let store_is_there = async {
        while StoreView::open(&site.path("orderfeed.db")).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, store_is_there).await.unwrap();
    let life = site.json_when(&number, all_submitted).await;
    assert_eq!(life["daemon"]["running"], true);
    let asked: Vec<String> = site
        .emulator
        .requests()
        .into_iter()
        .filter_map(|request| request.request_id)
        .collect();
    for event in events(&life) {
        let attempts = event["attempts"].as_array().unwrap();
        let last = attempts.last().unwrap();
        assert_eq!(
            (&last["accepted"], &last["status"]),
            (&json!(true), &json!(202)),
            "{event:#}"
        );
        for attempt in attempts {
            let id = attempt["request_id"].as_str().unwrap();
            assert!(asked.iter().any(|ours| id.starts_with(ours)), "{id}");
            assert!(attempt["duration_ms"].is_u64());
        }
        assert!(
            site.emulator.ids().contains(event["id"].as_str().unwrap()),
            "{event:#}"
        );
    }
    daemon.kill().await.unwrap();

    // Without daemon and without source.
    std::fs::rename(site.path("shop.db"), site.path("elsewhere.db")).unwrap();
    let (code, reported) = site.run(&["explain", &number]).await;
    assert_eq!(code, 0, "{reported}");
    for words in [
        "Shop       could not be read",
        "Daemon     not running",
        ": Submitted",
    ] {
        assert!(reported.contains(words), "{words:?} is missing:\n{reported}");
    }
    let (code, reported) = site.run(&["explain", "nobody-has-this"]).await;
    assert_eq!(code, 1, "{reported}");
    assert!(
        reported.contains("No order nobody-has-this was found."),
        "{reported}"
    );
}

#[tokio::test]
async fn a_refused_event_is_explained_before_and_after_its_retry() {
    let site = Site::new().await;
    let poison = json!({ "status": 400, "code": "0102", "times": 1000 });
    site.emulator.script_json(json!([poison])).unwrap();
    let mut daemon = site.daemon();
    let parked = async {
        loop {
            if let Ok(mut view) = StoreView::open(&site.path("orderfeed.db")) {
                let found = view.read(|reader| reader.parked(&ParkedFilter::default(), 1));
                if let Some(event) = found.unwrap_or_default().into_iter().next() {
                    return event;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let event = tokio::time::timeout(PATIENCE, parked)
        .await
        .expect("an event is parked");
    daemon.kill().await.unwrap();
    site.emulator.reset();
    let mut view = StoreView::open(&site.path("orderfeed.db")).unwrap();
    let row = view
        .read(|reader| reader.feed_row(event.key.order))
        .unwrap()
        .unwrap();
    let number = row.0.number;
    let (code, reported) = site.run(&["explain", &number]).await;
    assert_eq!(code, 0, "{reported}");
    for words in [
        "Failed, requires attention",
        "was refused with EXEG-0102-400",
        "orderfeed failed retry",
    ] {
        assert!(reported.contains(words), "{words:?} is missing:\n{reported}");
    }
    let (code, reported) = site.run(&["failed", "retry", "--all", "--json"]).await;
    assert_eq!(code, 0, "{reported}");
    let mut daemon = site.daemon();
    let life = site.json_when(&number, all_submitted).await;
    let retold = events(&life)
        .into_iter()
        .find(|reported| {
            reported["document"].is_string()
                && reported["key"]
                    .as_str()
                    .unwrap()
                    .starts_with(&event.key.order.to_string())
        })
        .unwrap();
    let attempts = retold["attempts"].as_array().unwrap();
    assert!(
        attempts.iter().any(|attempt| attempt["code"] == "EXEG-0102-400"),
        "{retold:#}"
    );
    daemon.kill().await.unwrap();
}
