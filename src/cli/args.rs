//! The command tree with its help.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};

use crate::cli::delivery::DeliveryCommand;
use crate::cli::delivery::failed::FailedCommand;
use crate::cli::delivery::test_connection::TestConnectionArgs;
use crate::cli::index::cron::CronCommand;
use crate::cli::index::indexer::{Indexers, ReindexArgs, SetModeArgs, SetStatusArgs};
use crate::cli::index::resync::ResyncArgs;
use crate::cli::index::verify::VerifyArgs;
use crate::cli::inspect::doctor::DoctorArgs;
use crate::cli::inspect::explain::ExplainArgs;
use crate::cli::inspect::status::StatusArgs;
use crate::cli::privacy::PrivacyCommand;
use crate::cli::privacy::suppress::SuppressCommand;
use crate::cli::run::RunArgs;
use crate::cli::setup::backup::{BackupArgs, RestoreArgs};
use crate::cli::setup::config::ConfigCommand;
use crate::cli::setup::manual::ManualArgs;
use crate::cli::setup::source::SourceArgs;
use crate::cli::trial::demo::DemoArgs;
use crate::cli::trial::emulator::EmulatorArgs;

const AFTER_HELP: &str = "\
Examples:
  orderfeed demo                                  see the whole main job, without any set-up
  orderfeed config check                          is the configuration right?
  orderfeed run                                   run the daemon in the foreground
  orderfeed status                                what is going on?
  orderfeed doctor                                what is wrong, and what mends it?
  orderfeed explain 000000101                     what became of this order?
  orderfeed test-connection                       would the edge take events?
  orderfeed indexer:status                        the index, as Commerce prints it
  orderfeed saas:resync --feed orders             send what is new, changed or failed
  orderfeed verify                                does everything agree with the source?
  orderfeed failed list                           what needs a decision

Exit codes:
  0 done                          70 a bug               77 not permitted
  1 the answer is no              74 the disk            78 configuration
  2 the command line is wrong     75 busy, try again
  69 something needed is not there";

/// `X.Y.Z sqlite A.B.C`
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
    max_term_width = 100
)]
pub struct Cli {
    /// The configuration file
    #[arg(
        long,
        global = true,
        env = "ORDERFEED_CONFIG",
        default_value = "/etc/orderfeed/orderfeed.toml",
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground, until SIGTERM or Ctrl-C
    #[command(
        after_help = "Logs go to stderr. SIGTERM finishes what is in flight and ends with 0; a second one ends at \
        once.\n\nExamples:\n  orderfeed run --config /etc/orderfeed/orderfeed.toml\n  \
        orderfeed run --dry-run        show what would be sent, send nothing"
    )]
    Run(RunArgs),
    /// Show the whole main job with an embedded shop, the emulator and the real daemon
    #[command(
        after_help = "Examples:\n  orderfeed demo\n  orderfeed demo --orders 20000 --rate 50 --duration 30s --faults"
    )]
    Demo(DemoArgs),
    /// Run a local Edge Network for trials and tests
    #[command(
        after_help = "Examples:\n  orderfeed emulator --listen-server 127.0.0.1:9180 --strict-xdm\n  orderfeed emulator --fault-rate 0.05 --seed 7 --latency-ms 80"
    )]
    Emulator(EmulatorArgs),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look after the source: its capture triggers
    Source(SourceArgs),
    /// What the daemon does, what waits, what failed
    #[command(
        after_help = "Works with and without a running daemon. Exit code 0 if it could answer, whatever the answer \
        is.\n\nExamples:\n  orderfeed status\n  orderfeed status --json | jq '.websites[] | {code, pending}'\n  \
        orderfeed status --watch       repaint every 2 seconds, until Ctrl-C"
    )]
    Status(StatusArgs),
    /// What is wrong, and what mends it: configuration, files, store, source, edge, clock, schedules, delivery
    #[command(
        after_help = "Changes nothing and disturbs nobody; works beside a running daemon and without one, within 15 \
        seconds. Run it as the daemon's user or as root.\n\nExit code 0 if nothing is wrong, also with warnings; 1 if there is a \
        problem; 2 if the command line is wrong.\n\nExamples:\n  sudo -u orderfeed orderfeed doctor\n  \
        orderfeed doctor --website base\n  \
        orderfeed doctor --json | jq '.checks[] | select(.verdict == \"problem\")'"
    )]
    Doctor(DoctorArgs),
    /// The whole life of an order: captured, indexed, sent, answered, and what is pending and why
    #[command(
        after_help = "Works beside a running daemon, without one, and without the source (then it says so). Exit code \
        1 if no order with this number is known.\n\nExamples:\n  orderfeed explain 000000101\n  \
        orderfeed explain 000000101 --json | jq '.orders[].events[] | {key, export_status, notes}'"
    )]
    Explain(ExplainArgs),
    /// Ask the edge whether it would take events: address, token, datastream; sends none
    #[command(
        after_help = "Exit code 0 if every website can deliver, 1 if something must be mended, 69 if the edge or the \
        token service could not be asked.\n\nExamples:\n  orderfeed test-connection\n  \
        orderfeed test-connection --website base --json"
    )]
    TestConnection(TestConnectionArgs),
    /// List the indexers
    #[command(name = "indexer:info", after_help = "Example:\n  orderfeed indexer:info")]
    IndexerInfo,
    /// Show the status of the index
    #[command(name = "indexer:status", after_help = "Example:\n  orderfeed indexer:status")]
    IndexerStatus(Indexers),
    /// Show the state of the index's view and its changelog
    #[command(
        name = "indexer:status:mview",
        after_help = "Example:\n  orderfeed indexer:status:mview"
    )]
    IndexerStatusMview(Indexers),
    /// Show when the index is updated
    #[command(
        name = "indexer:show-mode",
        after_help = "Example:\n  orderfeed indexer:show-mode"
    )]
    IndexerShowMode(Indexers),
    /// Set when the index is updated: on save (realtime) or by schedule
    #[command(
        name = "indexer:set-mode",
        after_help = "Example:\n  orderfeed indexer:set-mode schedule"
    )]
    IndexerSetMode(SetModeArgs),
    /// Reindex all orders
    #[command(
        name = "indexer:reindex",
        visible_alias = "index:reindex",
        after_help = "What was sent is not sent again; interrupting this command does not \
        interrupt a running daemon's work.\n\nExample:\n  orderfeed indexer:reindex"
    )]
    IndexerReindex(ReindexArgs),
    /// Require a full reindex at the next scheduled run
    #[command(name = "indexer:reset", after_help = "Example:\n  orderfeed indexer:reset")]
    IndexerReset(Indexers),
    /// Set the status of the index
    #[command(
        name = "indexer:set-status",
        after_help = "suspended: the schedules index nothing until the status is set again; changes are still captured,\n\
        and indexer:reindex by hand still works.\n\nExample:\n  orderfeed indexer:set-status suspended sales_order_data_exporter_v2"
    )]
    IndexerSetStatus(SetStatusArgs),
    /// Synchronize the orders feed again
    #[command(
        name = "saas:resync",
        after_help = "Sends what is new, changed or failed; nothing that was delivered and did not change.\n\nExamples:\n  \
        orderfeed saas:resync --feed orders\n  \
        orderfeed saas:resync --feed orders --dry-run\n  \
        orderfeed saas:resync --feed orders --by-ids 000000101,000000102 --force --wait\n  \
        orderfeed saas:resync --feed orders --from 2026-11-01 --to 2026-11-08T12:00:00Z"
    )]
    Resync(ResyncArgs),
    /// Compare the source with feed and outbox: counts, and every order that differs
    #[command(
        after_help = "Reads the source in pages and locks nothing. A change that is captured and waits to be indexed is no \
        difference; what differs is looked at twice.\n\nExit code 0 if nothing differs or everything that does was put \
        into the changelog (--repair), 1 if differences are left.\n\nExamples:\n  orderfeed verify\n  \
        orderfeed verify --from 2026-11-01 --to 2026-11-08 --repair\n  \
        orderfeed verify --orders 000000101,000000102\n  \
        orderfeed verify --website base --json | jq .differing"
    )]
    Verify(VerifyArgs),
    /// Copy the store, beside a running daemon: one file, checked, there as a whole or not at all
    #[command(
        after_help = "The copy holds everything of one moment: changelog, feed, outbox, schedules. Nobody waits for it.\n\n\
        Examples:\n  orderfeed backup /backup/orderfeed-$(date +%F).db\n  \
        orderfeed backup --check /backup/orderfeed-2026-11-22.db"
    )]
    Backup(BackupArgs),
    /// Put a copy in the place of the store; the daemon must not run
    #[command(
        after_help = "The copy is checked first. The store that was there is kept beside it, under another name.\n\n\
        Example:\n  systemctl stop orderfeed\n  orderfeed restore /backup/orderfeed-2026-11-22.db\n  \
        systemctl start orderfeed"
    )]
    Restore(RestoreArgs),
    /// The schedules: list them, run one now, see what ran
    #[command(subcommand)]
    Cron(CronCommand),
    /// Events that need a decision: list, show, send again, give up
    #[command(subcommand)]
    Failed(FailedCommand),
    /// Pause and resume what is sent; intake and indexing go on
    #[command(subcommand)]
    Delivery(DeliveryCommand),
    /// Persons whose events are not sent: add, remove, list, import
    #[command(subcommand)]
    Suppress(SuppressCommand),
    /// Requests of persons about what the store holds of them
    #[command(subcommand)]
    Privacy(PrivacyCommand),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  orderfeed completions bash > /usr/share/bash-completion/completions/orderfeed"
    )]
    Completions {
        /// Which shell
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
    fn the_tree_is_sound() {
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
        let nested = ["orderfeed", "cron", "list", "--config", "a.toml"];
        assert_eq!(
            Cli::try_parse_from(nested).unwrap().config,
            PathBuf::from("a.toml")
        );
    }
}
