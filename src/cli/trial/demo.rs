//! `orderfeed demo`: an embedded shop with simulated shoppers, a local edge, and the real daemon between them.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::cli::exit;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::trial::demo_report;
use crate::cli::trial::demo_report::{Picture, Start};
use crate::config::{Config, HumanDuration};
use crate::daemon::lifecycle::Lifecycle;
use crate::daemon::lifecycle::signals::{SignalStreams, Signals};
use crate::daemon::lifecycle::start::DataSpace;
use crate::daemon::run::{self, RunOptions};
use crate::delivery::DeliveryStats;
use crate::ops::logging;
use crate::ops::systemd::Notifier;
use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::{DatastreamConfig, Emulator, EmulatorConfig, EmulatorHandle, RandomFaults};
use orderfeed_model::clock::{Clock, UtcMillis};

const ORGANIZATION: &str = "53A16ACB5CC1D3760A495C99@AdobeOrg";
const CLIENT: &str = "demo-client";
const SECRET: &str = "demo-secret";
/// The past of the shop at the start.
const PAST_MS: i64 = 30 * 86_400_000;
/// How long the end waits for the last events to arrive.
const SETTLE: Duration = Duration::from_secs(20);
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// Options of `demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Orders that the shop has at the start: its history, which the first sync reads
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=5_000_000))]
    pub orders: u32,
    /// Things that shoppers and merchants do a second: place, pay, ship, cancel, refund, return …
    #[arg(long, default_value_t = 5.0, value_parser = positive_rate)]
    pub rate: f64,
    /// How long to go on, such as 30s or 10m; without it until Ctrl-C
    #[arg(long)]
    pub duration: Option<HumanDuration>,
    /// Let the edge misbehave: 503, 429 with Retry-After, resets before and after recording, hangs
    #[arg(long)]
    pub faults: bool,
    /// The same seed gives the same shoppers
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where shop, store and configuration are kept; without it a temporary directory that goes away
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Runs the demo until its duration is over or Ctrl-C; ends with a summary.
///
/// # Errors
/// If a part of it cannot start, or the daemon fails.
pub async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    let place = Place::make(args.keep.as_deref())?;
    let edge = Emulator::start(edge_config(&args))
        .await
        .context("the demo's edge")?;
    let config = write_config(place.path(), &edge)?;
    let _log = logging::init(&config.log, Clock::System)?;
    let mut shop = Shoppers::open(place.path(), &args)?;
    let start = Start {
        orders: args.orders,
        rate: args.rate,
        faults: args.faults,
    };
    output::talk(&demo_report::welcome(&start, place.path(), &edge));

    let lifecycle = Lifecycle::default();
    let shopping = CancellationToken::new();
    let observer = Arc::new(DeliveryStats::default());
    let daemon = tokio::spawn(run::run(config.clone(), run_options(&lifecycle, &observer)));
    // Ctrl-C first ends the shopping; what was bought still travels, and only then the daemon stops.
    let ctrl_c = Lifecycle {
        stop: shopping.clone(),
        abort: lifecycle.abort.clone(),
    };
    let streams = SignalStreams::open()?;
    let signals = tokio::spawn(streams.watch(ctrl_c, |_| {}));

    let bought = shop.deeds.clone();
    let picture = || Picture::take(&config.store.path, &edge, bought.load(Ordering::Relaxed));
    let end = tokio::time::Instant::now() + args.duration.map_or(Duration::MAX / 4, HumanDuration::get);
    let shoppers = tokio::task::spawn_blocking({
        let shopping = shopping.clone();
        let rate = args.rate;
        move || shop.go_shopping(rate, &shopping)
    });
    watch(&picture, end, &shopping, &daemon).await;
    shopping.cancel();
    shoppers.await.context("the shoppers crashed")??;
    settle(&picture, &lifecycle, &daemon).await;
    lifecycle.stop.cancel();
    let ended = daemon.await.context("the daemon crashed")?;
    signals.abort();
    output::data(&demo_report::summary(&picture(), &edge, &observer))?;
    edge.shutdown().await;
    ended?;
    Ok(Exit::Ok)
}

fn run_options(lifecycle: &Lifecycle, observer: &Arc<DeliveryStats>) -> RunOptions {
    RunOptions {
        clock: Clock::System,
        data_space: DataSpace::MustMatch,
        lifecycle: lifecycle.clone(),
        signals: Signals::Caller,
        observer: observer.clone(),
        exit_code: exit::code_of,
        notifier: Notifier::default(),
    }
}

/// Shows how it goes until the end, Ctrl-C, or the daemon's own end.
async fn watch<T>(
    picture: &impl Fn() -> Picture,
    end: tokio::time::Instant,
    shopping: &CancellationToken,
    daemon: &tokio::task::JoinHandle<T>,
) {
    loop {
        tokio::select! {
            () = shopping.cancelled() => return,
            () = tokio::time::sleep_until(end) => return,
            () = tokio::time::sleep(STATUS_EVERY) => output::talk(&demo_report::line(&picture())),
        }
        if daemon.is_finished() {
            return;
        }
    }
}

/// Waits until everything that the shop did is at the edge; a second Ctrl-C or the time limit ends the wait.
async fn settle<T>(
    picture: &impl Fn() -> Picture,
    lifecycle: &Lifecycle,
    daemon: &tokio::task::JoinHandle<T>,
) {
    let deadline = tokio::time::Instant::now() + SETTLE;
    let mut calm = 0;
    while tokio::time::Instant::now() < deadline && !daemon.is_finished() && calm < 3 {
        calm = if picture().is_settled() { calm + 1 } else { 0 };
        tokio::select! {
            () = lifecycle.abort.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

/// The directory of the demo: temporary, unless it is to be kept.
enum Place {
    Temporary(PathBuf),
    Kept(PathBuf),
}

impl Place {
    fn make(keep: Option<&Path>) -> anyhow::Result<Self> {
        let place = match keep {
            Some(path) => Self::Kept(path.to_owned()),
            None => {
                Self::Temporary(std::env::temp_dir().join(format!("orderfeed-demo-{}", std::process::id())))
            }
        };
        // It holds a store: for its owner alone, as the daemon would make it.
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(place.path());
        made.with_context(|| format!("the demo's directory {} cannot be made", place.path().display()))?;
        Ok(place)
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(path) | Self::Kept(path) => path,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// One datastream for each website of the shop: the ids are made up, but stay the same.
fn datastream(index: usize) -> String {
    format!("de300000-0000-4000-8000-{index:012}")
}

fn edge_config(args: &DemoArgs) -> EmulatorConfig {
    let mut config = EmulatorConfig::default();
    let of_organization = || DatastreamConfig {
        org: ORGANIZATION.to_owned(),
        ..DatastreamConfig::default()
    };
    config.datastreams = Shop::website_codes()
        .iter()
        .enumerate()
        .map(|(index, _)| (datastream(index), of_organization()))
        .collect();
    let client = orderfeed_emulator::ClientConfig {
        secret: SECRET.to_owned(),
        org: ORGANIZATION.to_owned(),
        ..orderfeed_emulator::ClientConfig::default()
    };
    config.clients = [(CLIENT.to_owned(), client)].into();
    config.strict_xdm = true;
    config.ru_per_s = 0;
    config.faults = args.faults.then_some(RandomFaults::new(0.1, args.seed));
    config
}

/// The configuration is a file like any other, so that other commands can be tried on the running demo.
fn write_config(dir: &Path, edge: &EmulatorHandle) -> anyhow::Result<Config> {
    let mut text = format!(
        "[services_connector]\norganization_id = \"{ORGANIZATION}\"\nenvironment = \"sandbox\"\n\
         [services_connector.sandbox]\ndata_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\n\
         [edge]\nurl = \"{}\"\n[edge.oauth]\ntoken_url = \"{}\"\nclient_id = \"{CLIENT}\"\nclient_secret = \"{SECRET}\"\n\
         [source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"shop.db\"\npoll_interval = \"50ms\"\n\
         [index]\nmode = \"schedule\"\n[store]\npath = \"orderfeed.db\"\n[admin]\nlisten = \"off\"\n",
        edge.server_url(),
        edge.ims_url(),
    );
    for (index, code) in Shop::website_codes().iter().enumerate() {
        let id = datastream(index);
        text.push_str(&format!(
            "[websites.{code}]\ndatastream_id = \"{id}\"\nback_office_events = true\n"
        ));
    }
    let path = dir.join("orderfeed.toml");
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(crate::config::load(&path, std::iter::empty())?.config)
}

/// The shop and who is in it.
struct Shoppers {
    shop: Shop,
    file: EmbeddedShop,
    deeds: Arc<AtomicU64>,
}

impl Shoppers {
    fn open(dir: &Path, args: &DemoArgs) -> anyhow::Result<Self> {
        let mut file = EmbeddedShop::open(&dir.join("shop.db"))?;
        let fresh = file.is_empty()?;
        let options = ShopOptions {
            seed: args.seed,
            first_id: file.next_free_id()?,
            ..ShopOptions::default()
        };
        let mut shop = Shop::new(options);
        if fresh {
            file.commit(&shop.open_statements())?;
            let now = Clock::System.now();
            let span = Span {
                orders: args.orders as usize,
                from: now.plus_millis(-PAST_MS),
                to: now,
            };
            for batch in history::batches(&mut shop, span) {
                file.commit(&batch)?;
            }
        }
        Ok(Self {
            shop,
            file,
            deeds: Arc::default(),
        })
    }

    fn go_shopping(&mut self, rate: f64, end: &CancellationToken) -> anyhow::Result<()> {
        let pause = Duration::from_secs_f64(1.0 / rate);
        let began = tokio::time::Instant::now();
        let mut due = began;
        while !end.is_cancelled() {
            let now: UtcMillis = Clock::System.now();
            let action = self.shop.next_action(now);
            self.file.commit(&action.statements)?;
            self.deeds.fetch_add(1, Ordering::Relaxed);
            due += pause;
            let wait = due.saturating_duration_since(tokio::time::Instant::now());
            std::thread::sleep(wait.min(Duration::from_millis(500)));
        }
        Ok(())
    }
}

fn positive_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        _ => Err("a number above 0, at most 100000".to_owned()),
    }
}
