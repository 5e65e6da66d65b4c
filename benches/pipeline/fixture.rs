//! The test bench: a shop, a store, a configuration, an edge.

use std::collections::HashMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use orderfeed::store::StoreView;
use orderfeed::store::outbox::FinalState;
use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_model::clock::{Clock, UtcMillis};

use crate::process::Process;

pub const ORGANIZATION: &str = "53A16ACB5CC1D3760A495C99@AdobeOrg";
const NOW: UtcMillis = UtcMillis::from_secs(1_790_000_000);
const EMBEDDED: &str = "[source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"shop.db\"\n";
/// Number of orders of the largest shop whose file is kept.
const KEPT: usize = 1_000_000;
/// Number of orders per transaction while a shop is created.
const AT_ONCE: usize = 1_000;
const YEAR_MS: i64 = 365 * 86_400_000;

/// Everything of one measurement. Its directory is removed on drop.
pub struct Fixture {
    dir: tempfile::TempDir,
    source: String,
    batch_events: usize,
}

pub struct Edge {
    pub process: Process,
    url: String,
}

/// Times of an order's first batch in the store.
pub struct StageTimes {
    /// Entry of its change into the changelog.
    pub captured: UtcMillis,
    /// Entry of its events into the outbox.
    pub indexed: UtcMillis,
    pub sent: UtcMillis,
}

/// State of the store.
#[derive(Clone, Copy, Debug)]
pub struct StoreState {
    pub valid: bool,
    pub pending: u64,
    pub delivered: u64,
}

impl Fixture {
    /// Creates a fixture with a shop of `orders` orders, which is created once and kept in the target directory. A shop
    /// with more than a million (5.7 KB per order) is created each time.
    pub fn new(orders: usize, batch_events: usize) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let (made, here) = (shop(orders)?, dir.path().join("shop.db"));
        if orders <= KEPT {
            fs::copy(made, &here)?;
            // Otherwise the system would still be writing it during the measurement.
            fs::File::open(here)?.sync_all()?;
        } else {
            fs::rename(made, here)?;
        }
        Ok(Self {
            dir,
            source: EMBEDDED.to_owned(),
            batch_events,
        })
    }

    /// Creates a fixture for a shop elsewhere, given its `[source]` section.
    pub fn beside(source: &str, batch_events: usize) -> anyhow::Result<Self> {
        Ok(Self {
            dir: tempfile::tempdir()?,
            source: source.to_owned(),
            batch_events,
        })
    }

    /// Returns the file of the shop.
    pub fn shop(&self) -> PathBuf {
        self.dir.path().join("shop.db")
    }

    /// Replaces the `[source]` section.
    pub fn set_source(&mut self, source: String) {
        self.source = source;
    }

    /// Starts the emulator in a process of its own.
    pub fn start_edge(&self, latency_ms: u64) -> anyhow::Result<Edge> {
        let latency = latency_ms.to_string();
        let mut args = vec![
            "emulator",
            "--ledger",
            "counts",
            "--ru-per-s",
            "0",
            "--latency-ms",
            &latency,
            "--listen-server",
            "127.0.0.1:0",
            "--listen-edge",
            "127.0.0.1:0",
            "--listen-control",
            "127.0.0.1:0",
        ];
        let streams: Vec<String> = (0..websites().len())
            .map(|index| format!("{}={ORGANIZATION}", datastream(index)))
            .collect();
        args.extend(streams.iter().flat_map(|stream| ["--datastream", stream]));
        let mut url = String::new();
        let process = Process::start_and_read(&args, |line| {
            let found = line.split_whitespace().find(|word| word.starts_with("http://"));
            if line.contains("edge") && url.is_empty() {
                url = found.unwrap_or_default().trim_end_matches('/').to_owned();
            }
            line.contains("auth = \"none\"") || line.trim().is_empty() && !url.is_empty()
        })?;
        Ok(Edge { process, url })
    }

    /// Starts the daemon with this edge.
    pub fn start_daemon(&self, edge: &Edge) -> anyhow::Result<Process> {
        self.start(&edge.url)
    }

    /// Starts the daemon with an edge that refuses connections. It retries every 10 ms, so that no long pause delays
    /// the following measurement.
    pub fn start_daemon_without_edge(&self) -> anyhow::Result<Process> {
        self.start("http://127.0.0.1:9")
    }

    /// Starts the same daemon with its pages at a Unix socket. Returns it and the socket's path.
    pub fn start_with_pages(&self) -> anyhow::Result<(Process, PathBuf)> {
        let socket = self.dir.path().join("admin.sock");
        let path = self.config_file("http://127.0.0.1:9")?;
        let listen = format!("listen = \"unix:{}\"", socket.display());
        let text = fs::read_to_string(&path)?.replace("listen = \"off\"", &listen);
        fs::write(&path, text)?;
        let log = fs::File::create(self.dir.path().join("log"))?;
        let daemon = Process::start(&["run", "--config", path.to_str().context("path")?], log)?;
        Ok((daemon, socket))
    }

    /// Starts the daemon and waits until it reports that it is ready. Returns it and the time it took.
    pub fn start_until_ready(&self, edge: &Edge) -> anyhow::Result<(Process, Duration)> {
        let (socket, path) = (self.dir.path().join("notify"), self.config_file(&edge.url)?);
        let _ = fs::remove_file(&socket);
        let heard = UnixDatagram::bind(&socket)?;
        heard.set_read_timeout(Some(Duration::from_secs(60)))?;
        let log = fs::File::create(self.dir.path().join("log"))?;
        let began = Instant::now();
        let args = ["run", "--config", path.to_str().context("path")?];
        let daemon = Process::start_with(&args, log, &[("NOTIFY_SOCKET", &socket)])?;
        let mut message = [0; 4096];
        loop {
            let length = heard.recv(&mut message)?;
            if message[..length].starts_with(b"READY=1") {
                return Ok((daemon, began.elapsed()));
            }
        }
    }

    /// Returns the duration of a command.
    pub fn time_command(&self, command: &[&str]) -> anyhow::Result<Duration> {
        let path = self.dir.path().join("orderfeed.toml");
        let began = Instant::now();
        let config = ["--config", path.to_str().context("path")?];
        Process::run(&[command, &config].concat())?;
        Ok(began.elapsed())
    }

    /// Removes the bodies of all delivered events, as after `store.body_retention`. No daemon may be running.
    pub fn remove_bodies(&self) -> anyhow::Result<()> {
        let path = self.dir.path().join("orderfeed.toml");
        let text = fs::read_to_string(&path)?;
        fs::write(
            &path,
            text.replace("[store]\n", "[store]\nbody_retention = \"0s\"\n"),
        )?;
        self.time_command(&["cron", "run", "cleanup_delivered_events"])?;
        Ok(())
    }

    /// Reads the store beside the daemon.
    pub fn read_store(&self) -> anyhow::Result<StoreState> {
        let mut view = StoreView::open(&self.store())?;
        Ok(view.read(|reader| {
            let totals = reader.outbox_by_website()?;
            let delivered = totals.iter().flat_map(|website| &website.totals);
            Ok(StoreState {
                valid: reader
                    .indexer_state()?
                    .is_some_and(|state| state.status.as_str() == "valid"),
                pending: reader.pending_events()?,
                delivered: delivered
                    .filter(|(_, state, _)| *state == FinalState::Delivered)
                    .map(|total| total.2)
                    .sum(),
            })
        })?)
    }

    /// Returns the times of each order's first events in each stage.
    pub fn stage_times(&self) -> anyhow::Result<HashMap<i64, StageTimes>> {
        let sql = rusqlite::Connection::open(self.store())?;
        let mut statement = sql.prepare(
            "SELECT order_id, changed_at, created_at, last_attempt_at FROM outbox_event
             JOIN outbox_batch ON outbox_batch.id = batch_id
             WHERE last_attempt_at IS NOT NULL ORDER BY order_id, batch_id DESC",
        )?;
        let rows = statement.query_map([], |row| {
            let moments = StageTimes {
                captured: UtcMillis(row.get(1)?),
                indexed: UtcMillis(row.get(2)?),
                sent: UtcMillis(row.get(3)?),
            };
            Ok((row.get(0)?, moments))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns an error with the end of the log if the daemon has ended.
    pub fn must_run(&self, daemon: &Process) -> anyhow::Result<()> {
        if !daemon.has_ended()? {
            return Ok(());
        }
        let log = fs::read_to_string(self.dir.path().join("log"))?;
        bail!(
            "the daemon has ended: {}",
            log.lines().last().unwrap_or("without a word")
        )
    }

    /// Returns the size of the store's file and its WAL, in bytes.
    pub fn store_bytes(&self) -> u64 {
        let size = |path: PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
        size(self.store()) + size(self.dir.path().join("orderfeed.db-wal"))
    }

    /// Returns the bytes in use in the store. Free pages are reused.
    pub fn used_bytes(&self) -> anyhow::Result<u64> {
        let sql = rusqlite::Connection::open(self.store())?;
        let sum = "SELECT (page_count - freelist_count) * page_size
                   FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        Ok(sql.query_row(sum, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    pub fn store(&self) -> PathBuf {
        self.dir.path().join("orderfeed.db")
    }

    /// Opens the shop to sell more.
    pub fn open_shop(&self) -> anyhow::Result<LiveShop> {
        let path = self.dir.path().join("shop.db");
        let file = EmbeddedShop::open(&path)?;
        let shop = Shop::new(ShopOptions {
            first_id: file.next_free_id()?,
            // Each placed order must have an event.
            deleted_store_views_per_mille: 0,
            ..ShopOptions::default()
        });
        Ok(LiveShop { shop, file, path })
    }

    /// Starts the daemon with the edge at `url`, which needs no token, and with `more` settings.
    pub fn start_live(&self, url: &str, more: &str, poll: &str) -> anyhow::Result<Process> {
        let path = self.dir.path().join("orderfeed.toml");
        let text = self
            .config(url)
            .replace("[first_sync]\nhistory = \"all\"\n", more)
            .replace(
                "path = \"shop.db\"\n",
                &format!("path = \"shop.db\"\npoll_interval = \"{poll}\"\n"),
            );
        fs::write(&path, text)?;
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"))?;
        Process::start(&["run", "--config", path.to_str().context("path")?], log)
    }

    fn config_file(&self, edge: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.path().join("orderfeed.toml");
        fs::write(&path, self.config(edge))?;
        Ok(path)
    }

    fn config(&self, edge: &str) -> String {
        let mut text = format!(
            "[services_connector]\norganization_id = \"{ORGANIZATION}\"\nenvironment = \"production\"\n\
         [services_connector.production]\ndata_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\n\
         [edge]\nurl = \"{edge}\"\nauth = \"none\"\n{}[delivery]\nrequest_units_per_second = 0\nmax_batch_events = {}\n\
         [delivery.retry]\ninitial = \"10ms\"\nmax = \"10ms\"\n\
         [first_sync]\nhistory = \"all\"\n[store]\npath = \"orderfeed.db\"\n[admin]\nlisten = \"off\"\n",
            self.source, self.batch_events,
        );
        for (index, code) in websites().iter().enumerate() {
            let id = datastream(index);
            text.push_str(&format!(
                "[websites.{code}]\ndatastream_id = \"{id}\"\nback_office_events = true\n"
            ));
        }
        text
    }

    fn start(&self, edge: &str) -> anyhow::Result<Process> {
        let path = self.config_file(edge)?;
        let log = fs::File::create(self.dir.path().join("log"))?;
        Process::start(&["run", "--config", path.to_str().context("path")?], log)
    }
}

pub fn websites() -> Vec<&'static str> {
    Shop::website_codes()
}

pub fn datastream(index: usize) -> String {
    format!("be000000-0000-4000-8000-{index:012}")
}

/// A shop in which orders are being placed.
pub struct LiveShop {
    shop: Shop,
    file: EmbeddedShop,
    path: PathBuf,
}

impl LiveShop {
    /// Places an order and returns its id and the time of its commit.
    pub fn place(&mut self) -> anyhow::Result<(i64, UtcMillis)> {
        let placed = self.shop.place(Clock::System.now());
        self.file.commit(&placed.statements)?;
        Ok((placed.order_id, Clock::System.now()))
    }

    /// Returns the number of each order with an event. Orders of a deleted store view have no website and no event.
    pub fn numbers(&self) -> anyhow::Result<HashMap<i64, String>> {
        let sql = rusqlite::Connection::open(&self.path)?;
        let mut statement = sql.prepare(
            "SELECT entity_id, increment_id FROM sales_order WHERE store_id IS NOT NULL ORDER BY entity_id DESC LIMIT 200000",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Returns a history of `orders` orders over a year.
pub fn year_of(orders: usize) -> Span {
    Span {
        orders,
        from: NOW.plus_millis(-YEAR_MS),
        to: NOW,
    }
}

/// Returns the file of a shop with `orders` orders.
fn shop(orders: usize) -> anyhow::Result<PathBuf> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = dir.join(format!("shop-{orders}.db"));
    if path.exists() {
        return Ok(path);
    }
    let partial = dir.join(format!("shop-{orders}.partial"));
    let _ = fs::remove_file(&partial);
    let mut file = EmbeddedShop::open(&partial)?;
    let mut shop = Shop::new(ShopOptions::default());
    file.commit(&shop.open_statements())?;
    // Row by row: the few statements stay prepared, which is faster than building inserts of hundreds of rows.
    let mut orders = history::orders(&mut shop, year_of(orders));
    loop {
        let rows = orders.by_ref().take(AT_ONCE).flat_map(|order| order.statements);
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            break;
        }
        file.commit(&rows)?;
    }
    drop(file);
    fs::rename(&partial, &path)?;
    Ok(path)
}
