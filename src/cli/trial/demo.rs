//! `demo`: runs an embedded shop with simulated shoppers, a local edge, and the real daemon between them.

use std::fs::DirBuilder;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::cli::context::temporary_directory;
use crate::cli::exit::{self, Exit};
use crate::cli::output;
use crate::cli::trial::demo_report::{self, DemoState};
use crate::cli::trial::demo_shoppers::Simulation;
use crate::cli::trial::demo_source::{DemoSource, DemoSourceKind};
use crate::cli::trial::demo_storefront;
use crate::cli::trial::demo_storefront::ShopPages;
use crate::config::{Config, HumanDuration};
use crate::daemon::admin::access::password;
use crate::daemon::lifecycle::Lifecycle;
use crate::daemon::lifecycle::signals::{SignalStreams, Signals};
use crate::daemon::lifecycle::source_kind::SourceChange;
use crate::daemon::lifecycle::start::DataSpace;
use crate::daemon::page_sources::PageSources;
use crate::daemon::run::{self, RunOptions};
use crate::delivery::DeliveryStats;
use crate::ops::logging;
use crate::ops::systemd::Notifier;
use orderfeed_demo_shop::shop::Shop;
use orderfeed_demo_shop::shop::checkout::store_view;
use orderfeed_emulator::{DatastreamConfig, Emulator, EmulatorConfig, EmulatorHandle, RandomFaults};
use orderfeed_model::clock::Clock;

const ORGANIZATION: &str = "53A16ACB5CC1D3760A495C99@AdobeOrg";
const CLIENT: &str = "demo-client";
const SECRET: &str = "demo-secret";
/// Time limit for delivering the last events.
const SETTLE: Duration = Duration::from_secs(20);
/// The port of the web pages, unless it is in use.
const USUAL_PORT: u16 = 9187;
/// Digits of the password for the web pages.
const PASSWORD_LENGTH: usize = 12;
const STATUS_EVERY: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Number of orders in the shop at the start: the history that the first sync reads
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=5_000_000))]
    pub orders: u32,
    /// Actions of shoppers and merchants per second: place, pay, ship, cancel, refund, return …
    #[arg(long, default_value_t = 5.0, value_parser = positive_rate)]
    pub rate: f64,
    /// Duration, such as 30s or 10m; until Ctrl-C if not given
    #[arg(long)]
    pub duration: Option<HumanDuration>,
    /// Read the shop from its file, or over Commerce's REST API
    #[arg(long, value_enum, default_value_t)]
    pub source: DemoSourceKind,
    /// Inject faults at the edge: 503, 429 with Retry-After, resets before and after recording, hangs; and, with the
    /// source rest, in the answers of the API
    #[arg(long)]
    pub faults: bool,
    /// Seed of the simulation; the same seed gives the same actions
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Directory for shop, store and configuration; a temporary one if not given
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Directory with Adobe's packages, with which the shop's pages send events [default: that of `storefront.packages`]
    #[arg(long, value_name = "DIR")]
    pub packages: Option<PathBuf>,
}

/// Runs the demo until its duration has passed or Ctrl-C, and prints a summary.
pub async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    let temporary = temporary_directory().context("no temporary directory for the demo")?;
    let directory = args.keep.as_deref().unwrap_or(temporary.path());
    // Not readable by other users, like the directory of every store.
    let created = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    created.with_context(|| format!("the directory {} cannot be created", directory.display()))?;
    let edge = Emulator::start(edge_config(&args))
        .await
        .context("the edge of the demo cannot be started")?;
    let edge = Arc::new(edge);
    let address = page_address().context("the demo needs a port on 127.0.0.1")?;
    let mut shop = Simulation::open(directory, args.orders, args.seed)?;
    let source = DemoSource::start(args.source, directory, args.faults.then_some(args.seed)).await?;
    let config = write_config(directory, &edge, &source, address, args.packages.as_deref())?;
    let password = set_password(&config)?;
    let log = logging::init(&config.log, Clock::System)?;
    output::notice(&welcome(&args, directory, &edge, &source));
    output::notice(&format!(
        "Web pages: http://{address}/\nLog in with the password {password} to act on them.\n"
    ));
    let stop_shopping = CancellationToken::new();
    let pages_of_shop = demo_storefront::start(&config, &edge, address, stop_shopping.clone()).await?;
    output::notice(&shop_notice(&pages_of_shop));

    let lifecycle = Lifecycle::default();
    let observer = Arc::new(DeliveryStats::default());
    let pages = PageSources {
        config_path: Some(directory.join("orderfeed.toml")),
        recent: log.recent(),
    };
    let options = run_options(&lifecycle, &observer, pages);
    let daemon = tokio::spawn(run::run(config.clone(), options));
    // Ctrl-C stops the shoppers only, so that the daemon can still deliver what they did. It is stopped afterwards.
    let ctrl_c = Lifecycle {
        stop: stop_shopping.clone(),
        abort: lifecycle.abort.clone(),
    };
    let streams = SignalStreams::open()?;
    let signals = tokio::spawn(streams.watch(ctrl_c, |_| {}));

    let actions = shop.actions.clone();
    let state = || DemoState::read(&config.store.path, &edge, actions.load(Ordering::Relaxed));
    let end = tokio::time::Instant::now() + args.duration.map_or(Duration::MAX / 4, HumanDuration::get);
    let shoppers = tokio::task::spawn_blocking({
        let stop = stop_shopping.clone();
        move || shop.run(args.rate, pages_of_shop.orders, &stop)
    });
    print_state(&state, end, &stop_shopping, &daemon).await;
    stop_shopping.cancel();
    shoppers.await.context("the simulated shoppers crashed")??;
    settle(&state, source.settled_after(), &lifecycle, &daemon).await;
    lifecycle.stop.cancel();
    let ended = daemon.await.context("the daemon crashed")?;
    signals.abort();
    // Printed before an error of the daemon is returned: it shows what was delivered until then.
    output::data(&demo_report::summary(
        &state(),
        &edge,
        &observer,
        source.requests(),
    ))?;
    source.shutdown().await;
    edge.shutdown().await;
    ended?;
    Ok(Exit::Ok)
}

fn run_options(lifecycle: &Lifecycle, observer: &Arc<DeliveryStats>, pages: PageSources) -> RunOptions {
    RunOptions {
        clock: Clock::System,
        data_space: DataSpace::MustMatch,
        source_change: SourceChange::Refuse,
        lifecycle: lifecycle.clone(),
        signals: Signals::Caller,
        observer: observer.clone(),
        exit_code: exit::code_of,
        // The demo is not a systemd service.
        notifier: Notifier::default(),
        pages,
    }
}

/// Prints the state until `end`, Ctrl-C, or the end of the daemon.
async fn print_state<T>(
    state: &impl Fn() -> DemoState,
    end: tokio::time::Instant,
    stop: &CancellationToken,
    daemon: &tokio::task::JoinHandle<T>,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(end) => return,
            () = tokio::time::sleep(STATUS_EVERY) => output::notice(&demo_report::line(&state())),
        }
        if daemon.is_finished() {
            return;
        }
    }
}

/// Waits until all events are delivered, until a second Ctrl-C, or until the time limit.
async fn settle<T>(
    state: &impl Fn() -> DemoState,
    settled_after: u32,
    lifecycle: &Lifecycle,
    daemon: &tokio::task::JoinHandle<T>,
) {
    let deadline = tokio::time::Instant::now() + SETTLE;
    let mut settled = 0;
    while tokio::time::Instant::now() < deadline && !daemon.is_finished() && settled < settled_after {
        settled = if state().is_settled() { settled + 1 } else { 0 };
        tokio::select! {
            () = lifecycle.abort.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

/// Returns the address of the web pages: the default one, or another port if that is in use.
fn page_address() -> std::io::Result<SocketAddr> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr();
    bind(USUAL_PORT).or_else(|_| bind(0))
}

/// Sets a random password for the web pages, and returns it.
fn set_password(config: &Config) -> anyhow::Result<String> {
    let random = uuid::Uuid::new_v4().simple().to_string();
    let password: String = random.chars().take(PASSWORD_LENGTH).collect();
    let hash = password::hash(&password)?;
    let file = config.admin_password_file();
    password::write(&file, &hash, |_| Ok(()))
        .with_context(|| format!("the password cannot be stored in {}", file.display()))?;
    Ok(password)
}

fn welcome(args: &DemoArgs, directory: &Path, edge: &EmulatorHandle, source: &DemoSource) -> String {
    format!(
        "A shop with {} orders and {} actions per second, a local edge at {}{}, and the real daemon between them.\n\
         {}Its log follows. In another terminal:\n  orderfeed --config {}/orderfeed.toml status\n\
         Ctrl-C stops the shoppers, delivers everything, and prints a summary.\n",
        args.orders,
        args.rate,
        edge.server_url(),
        if args.faults { " with injected faults" } else { "" },
        source.welcome(),
        directory.display(),
    )
}

fn shop_notice(pages: &ShopPages) -> String {
    let address = pages.address;
    let events = match &pages.silent {
        None => "Allow measurement there, and its events arrive at the edge".to_owned(),
        Some(why) => format!("Its pages send no events: {why}; --packages names another directory"),
    };
    format!("Shop: http://{address}/\n{events}. What arrived: http://{address}/edge\n")
}

/// Returns the datastream of a website. The ids are made up, and the same in every demo.
fn datastream(index: usize) -> String {
    format!("de300000-0000-4000-8000-{index:012}")
}

fn edge_config(args: &DemoArgs) -> EmulatorConfig {
    let mut config = EmulatorConfig::default();
    let of_organization = || DatastreamConfig {
        org: ORGANIZATION.to_owned(),
        ..DatastreamConfig::default()
    };
    let datastreams = (0..Shop::website_codes().len()).map(|index| (datastream(index), of_organization()));
    config.datastreams = datastreams.collect();
    let client = orderfeed_emulator::ClientConfig {
        secret: SECRET.to_owned(),
        org: ORGANIZATION.to_owned(),
        ..orderfeed_emulator::ClientConfig::default()
    };
    config.clients = [(CLIENT.to_owned(), client)].into();
    config.strict_xdm = true;
    // No rate limit, so that the demo shows the speed of the daemon.
    config.ru_per_s = 0;
    config.faults = args.faults.then_some(RandomFaults::new(0.1, args.seed));
    config
}

/// Writes the configuration to a file, so that other commands can be tried on the running demo.
fn write_config(
    dir: &Path,
    edge: &EmulatorHandle,
    source: &DemoSource,
    pages: SocketAddr,
    packages: Option<&Path>,
) -> anyhow::Result<Config> {
    let mut text = format!(
        "[services_connector]\norganization_id = \"{ORGANIZATION}\"\nenvironment = \"sandbox\"\n\
         [services_connector.sandbox]\ndata_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\n\
         [edge]\nurl = \"{}\"\n[edge.oauth]\ntoken_url = \"{}\"\nclient_id = \"{CLIENT}\"\nclient_secret = \"{SECRET}\"\n\
         {}\
         [index]\nmode = \"schedule\"\n[store]\npath = \"orderfeed.db\"\n[admin]\nlisten = \"{pages}\"\nedit_settings = true\n",
        edge.server_url(),
        edge.ims_url(),
        source.sections(),
    );
    for (index, code) in Shop::website_codes().iter().enumerate() {
        let id = datastream(index);
        text.push_str(&format!(
            "[websites.{code}]\ndatastream_id = \"{id}\"\nback_office_events = true\n"
        ));
    }
    let view = store_view();
    text.push_str(&format!(
        "[websites.{}.store_views.{}]\nstore_code = \"{}\"\ncurrency = \"{}\"\n",
        view.website, view.code, view.store, view.currency
    ));
    if let Some(packages) = packages {
        // A path relative to a configuration file is looked up beside it.
        let packages = std::path::absolute(packages)?;
        text.push_str(&format!(
            "[storefront]\npackages = {:?}\n",
            packages.display().to_string()
        ));
    }
    let path = dir.join("orderfeed.toml");
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(crate::config::load(&path, std::iter::empty())?.config)
}

fn positive_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        _ => Err("expected a number above 0, at most 100000".to_owned()),
    }
}
