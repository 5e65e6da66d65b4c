//! The command tree and its help.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};

use crate::cli::context::CONFIG_FILE;
use crate::cli::delivery::DeliveryCommand;
use crate::cli::delivery::failed::FailedCommand;
use crate::cli::delivery::test_connection::TestConnectionArgs;
use crate::cli::index::cron::CronCommand;
use crate::cli::index::hint::HintArgs;
use crate::cli::index::indexer::IndexerArgs;
use crate::cli::index::resync::ResyncArgs;
use crate::cli::index::verify::VerifyArgs;
use crate::cli::inspect::doctor::DoctorArgs;
use crate::cli::inspect::explain::ExplainArgs;
use crate::cli::inspect::status::StatusArgs;
use crate::cli::privacy::PrivacyCommand;
use crate::cli::privacy::suppress::SuppressCommand;
use crate::cli::run::RunArgs;
use crate::cli::setup::admin::AdminCommand;
use crate::cli::setup::backup::{BackupArgs, RestoreArgs};
use crate::cli::setup::config::ConfigCommand;
use crate::cli::setup::manual::ManualArgs;
use crate::cli::setup::source::SourceArgs;
use crate::cli::setup::storefront::StorefrontCommand;
use crate::cli::shops::ShopsCommand;
use crate::cli::trial::demo::DemoArgs;
use crate::cli::trial::emulator::EmulatorArgs;
use crate::config::shop::ShopName;
use crate::daemon::control::Status;
use crate::store::views::ViewMode;

const AFTER_HELP: &str = "\
Examples:
  orderfeed demo                                  try everything, without any set-up
  orderfeed config check                          check the configuration
  orderfeed run                                   run the daemon in the foreground
  orderfeed status                                show what runs, what is pending and what failed
  orderfeed --shop agency status                  the same of one shop, on a host with several
  orderfeed shops status                          show one line for each of them
  orderfeed doctor                                find problems and how to fix them
  orderfeed explain 000000101                     show what happened to an order
  orderfeed test-connection                       check whether the edge accepts requests
  orderfeed indexer:status                        show the index, as Commerce prints it
  orderfeed saas:resync --feed orders             send what is new, changed or failed
  orderfeed verify                                compare feed and outbox with the source
  orderfeed failed list                           list parked events

Exit codes:
  0 success                       70 internal error      77 permission denied
  1 failed, or the answer is no   74 disk error          78 configuration
  2 wrong command line            75 busy, try again
  69 source, edge, store or daemon is unavailable";

/// The version as `X.Y.Z sqlite A.B.C`.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{} sqlite {}",
        env!("CARGO_PKG_VERSION"),
        crate::store::sqlite_version()
    )
});

/// Delivers Adobe Commerce order status events to the Adobe Experience Platform edge.
#[derive(Debug, Parser)]
#[command(name = "orderfeed", version = VERSION.as_str(), after_help = AFTER_HELP, propagate_version = false)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    // Longer lines are hard to read, and the golden files of the help have this width.
    max_term_width = 100
)]
pub struct Cli {
    /// Path of the configuration file
    #[arg(
        long,
        global = true,
        env = "ORDERFEED_CONFIG",
        default_value = CONFIG_FILE,
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// Name of a shop, on a host with several: its file is shops/NAME.toml beside FILE
    #[arg(long, global = true, env = "ORDERFEED_SHOP", value_name = "NAME")]
    pub shop: Option<ShopName>,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Returns the configuration file that the command line names.
    pub fn config_file(&self) -> PathBuf {
        let of_shop = |shop: &ShopName| shop.file(&self.config);
        self.shop.as_ref().map_or_else(|| self.config.clone(), of_shop)
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground, until SIGTERM or Ctrl-C
    #[command(
        after_help = "Logs go to stderr. The first SIGTERM lets requests in flight finish and exits with 0; a second one \
        exits at once.\n\nExamples:\n  orderfeed run --config /etc/orderfeed/orderfeed.toml\n  \
        orderfeed run --dry-run        report what would be sent, send nothing"
    )]
    Run(RunArgs),
    /// Run a made-up shop, the emulator and the real daemon together
    #[command(
        after_help = "Examples:\n  orderfeed demo\n  orderfeed demo --orders 20000 --rate 50 --duration 30s --faults\n  \
        orderfeed demo --source rest"
    )]
    Demo(DemoArgs),
    /// Run a local Edge Network for trials and tests
    #[command(
        after_help = "Examples:\n  orderfeed emulator --listen-server 127.0.0.1:9180 --strict-xdm\n  \
        orderfeed emulator --fault-rate 0.05 --seed 7 --latency-ms 80\n  orderfeed emulator --commerce ./trial/shop.db"
    )]
    Emulator(EmulatorArgs),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage the capture triggers in the shop's database
    Source(SourceArgs),
    /// Set up access to the web pages
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Deploy Adobe's Web SDK and event collector for the shop's pages
    #[command(subcommand)]
    Storefront(StorefrontCommand),
    /// Show what the daemon does, what is pending, and what failed
    #[command(
        after_help = "Works with and without a running daemon. Exit code 0 if the status could be read, even if it shows \
        problems.\n\nExamples:\n  orderfeed status\n  orderfeed status --json | jq '.websites[] | {code, pending}'\n  \
        orderfeed status --watch       refresh every 2 seconds, until Ctrl-C"
    )]
    Status(StatusArgs),
    /// List the shops of this host, or show one line of status for each
    #[command(subcommand)]
    Shops(ShopsCommand),
    /// Find problems and how to fix them: configuration, files, store, source, edge, clock, schedules, delivery
    #[command(
        after_help = "Changes nothing. Works with and without a running daemon, and ends within 15 seconds. Run it as the \
        daemon's user or as root.\n\nExit code 0 if there is no problem, even with warnings; 1 if there is a problem; 2 if \
        the command line is wrong.\n\nExamples:\n  sudo -u orderfeed orderfeed doctor\n  \
        orderfeed doctor --website base\n  \
        orderfeed doctor --json | jq '.checks[] | select(.verdict == \"problem\")'"
    )]
    Doctor(DoctorArgs),
    /// Show what happened to an order: captured, indexed, sent, answered, and why events are pending
    #[command(
        after_help = "Works with and without a running daemon. If the source does not answer, the output reports it and \
        shows what the store holds. Exit code 1 if no order has this number.\n\nExamples:\n  \
        orderfeed explain 000000101\n  \
        orderfeed explain 000000101 --json | jq '.orders[].events[] | {key, export_status, notes}'"
    )]
    Explain(ExplainArgs),
    /// Check whether the edge accepts requests: address, token, datastream; sends no event
    #[command(
        after_help = "Exit code 0 if every website can deliver, 1 if something must be fixed, 69 if the edge or the token \
        service did not answer.\n\nExamples:\n  orderfeed test-connection\n  \
        orderfeed test-connection --website base --json"
    )]
    TestConnection(TestConnectionArgs),
    /// List the indexers
    #[command(name = "indexer:info", after_help = "Example:\n  orderfeed indexer:info")]
    IndexerInfo,
    /// Show the status of the index
    #[command(name = "indexer:status", after_help = "Example:\n  orderfeed indexer:status")]
    IndexerStatus(IndexerArgs),
    /// Show the state of the index's view and its changelog
    #[command(
        name = "indexer:status:mview",
        after_help = "Example:\n  orderfeed indexer:status:mview"
    )]
    IndexerStatusMview(IndexerArgs),
    /// Show the mode of the index: on save or by schedule
    #[command(
        name = "indexer:show-mode",
        after_help = "Example:\n  orderfeed indexer:show-mode"
    )]
    IndexerShowMode(IndexerArgs),
    /// Set the mode of the index: on save (realtime) or by schedule
    #[command(
        name = "indexer:set-mode",
        after_help = "Example:\n  orderfeed indexer:set-mode schedule"
    )]
    IndexerSetMode {
        /// Mode of the index
        #[arg(value_enum)]
        mode: ViewMode,
        #[command(flatten)]
        indexers: IndexerArgs,
    },
    /// Reindex all orders
    #[command(
        name = "indexer:reindex",
        visible_alias = "index:reindex",
        after_help = "Delivered events are not sent again. Interrupting this command does not interrupt a running \
        daemon's reindex.\n\nExample:\n  orderfeed indexer:reindex"
    )]
    IndexerReindex {
        #[command(flatten)]
        indexers: IndexerArgs,
        /// Orders in one batch, instead of index.batch_size
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        batch_size: Option<u32>,
    },
    /// Invalidate the index: the next scheduled run reindexes all orders
    #[command(name = "indexer:reset", after_help = "Example:\n  orderfeed indexer:reset")]
    IndexerReset(IndexerArgs),
    /// Set the status of the index
    #[command(
        name = "indexer:set-status",
        after_help = "suspended: scheduled jobs index nothing until the status is set again; changes are still captured,\n\
        and a manual indexer:reindex still works.\n\nExample:\n  \
        orderfeed indexer:set-status suspended sales_order_data_exporter_v2"
    )]
    IndexerSetStatus {
        /// Status of the index
        #[arg(value_enum)]
        status: Status,
        #[command(flatten)]
        indexers: IndexerArgs,
    },
    /// Synchronize the orders feed again
    #[command(
        name = "saas:resync",
        after_help = "Sends what is new, changed or failed. Delivered events are sent again only with --force.\n\n\
        Examples:\n  \
        orderfeed saas:resync --feed orders\n  \
        orderfeed saas:resync --feed orders --dry-run\n  \
        orderfeed saas:resync --feed orders --by-ids 000000101,000000102 --force --wait\n  \
        orderfeed saas:resync --feed orders --from 2026-11-01 --to 2026-11-08T12:00:00Z"
    )]
    Resync(ResyncArgs),
    /// Compare the source with feed and outbox: counts, and every order that differs
    #[command(
        after_help = "Reads the source in pages and takes no locks. A captured change that waits to be indexed is not a \
        difference, and each difference is checked twice.\n\nExit code 0 if nothing differs or --repair put every \
        difference into the changelog, 1 if differences remain.\n\nExamples:\n  orderfeed verify\n  \
        orderfeed verify --from 2026-11-01 --to 2026-11-08 --repair\n  \
        orderfeed verify --orders 000000101,000000102\n  \
        orderfeed verify --website base --json | jq .differing"
    )]
    Verify(VerifyArgs),
    /// Read orders that changed, without waiting until capture notices
    #[command(
        after_help = "For a webhook or another program that learns of a change. The polls of the source find it anyway. Exit \
        code 1 if the source has no such order.\n\nExample:\n  orderfeed hint 000000101 000000102"
    )]
    Hint(HintArgs),
    /// Copy the store into one checked file while the daemon runs
    #[command(
        after_help = "The copy is a snapshot of the whole store: changelog, feed, outbox, schedules. It appears complete \
        and checked, or not at all, and the daemon does not wait for it.\n\n\
        Examples:\n  orderfeed backup /backup/orderfeed-$(date +%F).db\n  \
        orderfeed backup --check /backup/orderfeed-2026-11-22.db"
    )]
    Backup(BackupArgs),
    /// Replace the store by a backup; the daemon must not run
    #[command(
        after_help = "The backup is checked first. The previous store is kept beside it, under another name.\n\n\
        Example:\n  systemctl stop orderfeed\n  orderfeed restore /backup/orderfeed-2026-11-22.db\n  \
        systemctl start orderfeed"
    )]
    Restore(RestoreArgs),
    /// List the scheduled jobs, run one now, or show past runs
    #[command(subcommand)]
    Cron(CronCommand),
    /// List, show, retry or discard parked events
    #[command(subcommand)]
    Failed(FailedCommand),
    /// Pause or resume sending; capture and indexing continue
    #[command(subcommand)]
    Delivery(DeliveryCommand),
    /// Manage the list of persons whose events are not sent
    #[command(subcommand)]
    Suppress(SuppressCommand),
    /// Erase what the store holds about a person
    #[command(subcommand)]
    Privacy(PrivacyCommand),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  orderfeed completions bash > /usr/share/bash-completion/completions/orderfeed"
    )]
    Completions {
        /// The shell that the script is for
        shell: clap_complete::Shell,
    },
    /// Write manual pages into a directory, for packages
    #[command(hide = true)]
    Manual(ManualArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn config_is_accepted_before_and_after_a_command() {
        for args in [
            ["orderfeed", "--config", "a.toml", "status"],
            ["orderfeed", "status", "--config", "a.toml"],
        ] {
            assert_eq!(Cli::try_parse_from(args).unwrap().config, PathBuf::from("a.toml"));
        }
        let of_shop = [
            "orderfeed",
            "--shop",
            "agency",
            "--config",
            "etc/a.toml",
            "status",
        ];
        assert_eq!(
            Cli::try_parse_from(of_shop).unwrap().config_file(),
            PathBuf::from("etc/shops/agency.toml")
        );
        assert!(Cli::try_parse_from(["orderfeed", "--shop", "../x", "status"]).is_err());
        let nested = ["orderfeed", "cron", "list", "--config", "a.toml"];
        assert_eq!(
            Cli::try_parse_from(nested).unwrap().config,
            PathBuf::from("a.toml")
        );
    }
}
