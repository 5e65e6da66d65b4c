//! The real daemon between an embedded shop and the emulator, and the observations that tests need.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use orderfeed::first_sync::report::{SyncReport, reports};
use orderfeed::store::first_sync::SyncState;
use orderfeed::store::{Reader, StoreError, StoreView};
use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::{ClientConfig, DatastreamConfig, Emulator, EmulatorConfig, EmulatorHandle};
use orderfeed_model::clock::{Clock, UtcMillis};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::daemon::say;
pub use crate::support::daemon::{binary, eventually};
use crate::support::leaks;

const ORGANIZATION: &str = "53A16ACB5CC1D3760A495C99@AdobeOrg";
const PAST_MS: i64 = 60 * 86_400_000;

/// A datastream unknown to the edge, which halts its website's sender.
pub const UNKNOWN: &str = "de300000-0000-4000-8000-00000000dead";

pub struct Fixture {
    pub dir: tempfile::TempDir,
    pub edge: EmulatorHandle,
    pub shop: Shop,
    file: EmbeddedShop,
    daemon: Option<Child>,
}

pub fn datastream(code: &str) -> String {
    let index = Shop::website_codes().iter().position(|known| *known == code);
    format!("de300000-0000-4000-8000-{:012}", index.unwrap())
}

impl Fixture {
    /// Creates a shop with a history of `orders`, and an edge that answers after `latency_ms`.
    pub async fn new(orders: usize, latency_ms: u64) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("orderfeed-fs-")
            .tempdir()
            .unwrap();
        let mut file = EmbeddedShop::open(&dir.path().join("shop.db")).unwrap();
        let mut shop = Shop::new(ShopOptions {
            seed: 5,
            ..ShopOptions::default()
        });
        file.commit(&shop.open_statements()).unwrap();
        let to = Clock::System.now();
        let span = Span {
            orders,
            from: to.plus_millis(-PAST_MS),
            to,
        };
        for batch in history::batches(&mut shop, span) {
            file.commit(&batch).unwrap();
        }
        let edge = Emulator::start(edge(latency_ms)).await.unwrap();
        Self {
            dir,
            edge,
            shop,
            file,
            daemon: None,
        }
    }

    /// Writes a configuration with these websites and datastreams, and `more` at the end.
    pub fn configure(&self, websites: &[(&str, &str)], more: &str) {
        let url = self.edge.server_url();
        let mut text = format!(
            "[services_connector]\norganization_id = \"{ORGANIZATION}\"\nenvironment = \"sandbox\"\n\
             [services_connector.sandbox]\ndata_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\n\
             [edge]\nurl = \"{url}\"\n[edge.oauth]\ntoken_url = \"{}\"\nclient_id = \"rig\"\nclient_secret = \"rig-secret\"\n\
             [source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"shop.db\"\npoll_interval = \"20ms\"\n\
             [log]\nformat = \"logfmt\"\n[admin]\nlisten = \"off\"\n",
            self.edge.ims_url(),
        );
        let stores = more.contains("[store]");
        let store = if stores {
            ""
        } else {
            "[store]\npath = \"orderfeed.db\"\n"
        };
        text.push_str(store);
        if !more.contains("[index]") {
            text.push_str("[index]\nmode = \"realtime\"\nbatch_size = 100\n");
        }
        text.push_str(more);
        text.push('\n');
        for (code, datastream) in websites {
            text.push_str(&format!(
                "[websites.{code}]\ndatastream_id = \"{datastream}\"\nback_office_events = true\n"
            ));
        }
        std::fs::write(self.dir.path().join("orderfeed.toml"), text).unwrap();
    }

    pub fn start(&mut self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"))
            .unwrap();
        let mut command = self.command(&["run"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command
            .args(args)
            .arg("--config")
            .arg(self.dir.path().join("orderfeed.toml"));
        command
    }

    /// Runs a command that must succeed and returns its stdout.
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    pub fn reload(&self) {
        let id = self.daemon.as_ref().unwrap().id();
        kill_process(Pid::from_raw(id.cast_signed()).unwrap(), Signal::HUP).unwrap();
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Places an order and returns its entity id.
    pub fn place(&mut self) -> (i64, UtcMillis) {
        let now = Clock::System.now();
        let placed = self.shop.place(now);
        self.file.commit(&placed.statements).unwrap();
        (placed.order_id, now)
    }

    /// Reads from the store. Returns `None` while there is none.
    pub fn read_store<T>(&self, read: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>) -> Option<T> {
        StoreView::open(&self.dir.path().join("orderfeed.db"))
            .ok()?
            .read(read)
            .ok()
    }

    pub fn syncs(&self) -> Vec<SyncReport> {
        self.read_store(|reader| reports(reader, Clock::System.now()))
            .unwrap_or_default()
    }

    pub fn sync(&self, website: &str) -> Option<SyncReport> {
        self.syncs().into_iter().find(|sync| sync.website == website)
    }

    pub fn is_complete(&self, websites: &[&str]) -> bool {
        let done = |code: &&str| {
            self.sync(code)
                .is_some_and(|sync| sync.state == SyncState::Complete)
        };
        websites.iter().all(done)
    }

    /// Returns the shop's entity ids by order number.
    pub fn entity_ids(&self) -> std::collections::HashMap<String, u64> {
        let conn = rusqlite::Connection::open(self.dir.path().join("shop.db")).unwrap();
        let mut statement = conn
            .prepare("SELECT increment_id, entity_id FROM sales_order")
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Queries a number from the shop's or the store's database.
    pub fn number(&self, file: &str, sql: &str) -> i64 {
        let conn = rusqlite::Connection::open(self.dir.path().join(file)).unwrap();
        conn.busy_timeout(Duration::from_secs(10)).unwrap();
        conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.as_mut() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let log = self.log();
        if std::thread::panicking() {
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(40)..].join("\n");
            say(&format!("--- end of the log\n{tail}"));
        } else {
            leaks::assert_none("the log", &log);
        }
    }
}

fn edge(latency_ms: u64) -> EmulatorConfig {
    let ours = || DatastreamConfig {
        org: ORGANIZATION.to_owned(),
        ..DatastreamConfig::default()
    };
    let client = ClientConfig {
        secret: "rig-secret".to_owned(),
        org: ORGANIZATION.to_owned(),
        ..ClientConfig::default()
    };
    let codes = Shop::website_codes();
    EmulatorConfig {
        datastreams: codes.iter().map(|code| (datastream(code), ours())).collect(),
        clients: [("rig".to_owned(), client)].into(),
        ru_per_s: 0,
        latency_ms,
        ..EmulatorConfig::default()
    }
}
