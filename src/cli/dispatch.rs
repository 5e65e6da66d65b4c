//! Maps each command to the function that runs it.

use clap::CommandFactory;

use crate::cli::args::{Cli, Command};
use crate::cli::context::Context;
use crate::cli::delivery::{failed, test_connection};
use crate::cli::exit::Exit;
use crate::cli::index::{cron, hint, indexer, resync, verify};
use crate::cli::inspect::{doctor, explain, status};
use crate::cli::privacy::suppress;
use crate::cli::setup::{admin, backup, config, manual, source, storefront};
use crate::cli::trial::{demo, emulator};
use crate::cli::{delivery, output, privacy, run, shops};
use crate::daemon::control::{ReindexOptions, Request};

pub(super) async fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let context = Context::new(cli.config_file());
    match cli.command {
        Command::Run(args) => run::run(args, &context).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Emulator(args) => emulator::run(args).await.map(|()| Exit::Ok),
        Command::Config(command) => config::run(context.config_path(), &command).map(|()| Exit::Ok),
        Command::Source(args) => source::run(&args, &context).await,
        Command::Admin(command) => admin::run(&context, &command),
        Command::Storefront(command) => storefront::run(&context, &command).await,
        Command::Status(args) => status::run(&context, args).await,
        Command::Shops(command) => shops::run(&context, &command),
        Command::Doctor(args) => doctor::run(&context, args).await,
        Command::Explain(args) => explain::run(&context, args).await,
        Command::TestConnection(args) => test_connection::run(&context, args).await,
        Command::IndexerInfo => indexer::info(),
        Command::IndexerStatus(args) => indexer::show(&context, &args, indexer::render_status),
        Command::IndexerStatusMview(args) => indexer::show(&context, &args, indexer::render_mview),
        Command::IndexerShowMode(args) => indexer::show(&context, &args, indexer::render_mode),
        Command::IndexerSetMode { mode, indexers } => {
            let request = Request::SetMode { mode };
            indexer::change(&context, &indexers, request, "orderfeed indexer:set-mode").await
        }
        Command::IndexerReindex { batch_size, indexers } => {
            let request = Request::Reindex(ReindexOptions { batch_size });
            indexer::change(&context, &indexers, request, "orderfeed indexer:reindex").await
        }
        Command::IndexerReset(indexers) => {
            indexer::change(&context, &indexers, Request::Reset, "orderfeed indexer:reset").await
        }
        Command::IndexerSetStatus { status, indexers } => {
            let by = Some(indexer::operator());
            let request = Request::SetStatus { status, by };
            indexer::change(&context, &indexers, request, "orderfeed indexer:set-status").await
        }
        Command::Resync(args) => resync::run(&context, args).await,
        Command::Backup(args) => backup::backup(&context, &args),
        Command::Restore(args) => backup::restore(&context, &args).await,
        Command::Verify(args) => verify::run(&context, args).await,
        Command::Hint(args) => hint::run(&context, args).await,
        Command::Cron(command) => cron::run(&context, command).await,
        Command::Failed(command) => Box::pin(failed::run(&context, command)).await,
        Command::Delivery(command) => delivery::run(&context, command).await,
        Command::Suppress(command) => suppress::run(&context, command).await,
        Command::Privacy(command) => privacy::run(&context, command).await,
        Command::Completions { shell } => completions(shell),
        Command::Manual(args) => Ok(manual::write(&args, Cli::command()).map(|()| Exit::Ok)?),
    }
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "orderfeed", &mut script);
    output::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
