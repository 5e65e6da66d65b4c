//! `source triggers`: manages what `source.mysql.capture = "triggers"` needs in the shop's database.

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output;
use crate::commerce::changes::triggers::TriggerReport;
use crate::commerce::mysql::MysqlSource;
use crate::config::SourceKind;

#[derive(Debug, Args)]
pub struct SourceArgs {
    #[command(subcommand)]
    command: SourceCommand,
}

#[derive(Debug, Subcommand)]
enum SourceCommand {
    /// Manage the triggers that log every change of an order, for source.mysql.capture = "triggers"
    Triggers {
        #[command(subcommand)]
        command: TriggersCommand,
    },
}

#[derive(Debug, Subcommand)]
enum TriggersCommand {
    /// Create the log table and every missing or altered trigger
    #[command(after_help = "Example:\n  orderfeed source triggers install")]
    Install,
    /// Drop all triggers of orderfeed, then the log table
    #[command(after_help = "Example:\n  orderfeed source triggers remove")]
    Remove,
    /// Check that all triggers exist and are unaltered
    #[command(after_help = "Example:\n  orderfeed source triggers check")]
    Check,
}

/// Runs a `source` command against the configured database. `check` fails if a trigger is missing or altered.
pub async fn run(args: &SourceArgs, context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    if config.source.kind != SourceKind::Mysql {
        let message = match config.source.kind {
            SourceKind::Rest => "source.kind is \"rest\": only a database has triggers",
            _ => {
                "source.kind is \"sqlite\": the embedded store includes its triggers, so there is nothing to do"
            }
        };
        return Err(UsageError(message.to_owned()).into());
    }
    let source = MysqlSource::new(config.source.mysql)?;
    let mut report = Vec::new();
    let exit = triggers(args, &source, &mut report).await;
    // Also after a failure: the report lists the triggers that were created or removed before it.
    output::data(&String::from_utf8_lossy(&report))?;
    exit
}

async fn triggers(args: &SourceArgs, source: &MysqlSource, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let SourceCommand::Triggers { command } = &args.command;
    match command {
        TriggersCommand::Install => install(source, out).await,
        TriggersCommand::Remove => remove(source, out).await,
        TriggersCommand::Check => check(source, out).await,
    }
}

async fn install(source: &MysqlSource, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let created = source
        .install_triggers()
        .await
        .context("not all triggers could be installed; fix the cause and run the command again")?;
    for name in &created {
        writeln!(out, "created {name}")?;
    }
    check(source, out).await
}

async fn check(source: &MysqlSource, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let report = source
        .check_triggers()
        .await
        .context("the triggers could not be checked")?;
    write_report(&report, out)?;
    Ok(match report.is_complete() {
        true => Exit::Ok,
        false => Exit::Failed,
    })
}

async fn remove(source: &MysqlSource, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let dropped = source
        .remove_triggers()
        .await
        .context("not all triggers could be removed; fix the cause and run the command again")?;
    for name in &dropped {
        writeln!(out, "dropped {name}")?;
    }
    writeln!(out, "{} triggers and the log table were removed.", dropped.len())?;
    Ok(Exit::Ok)
}

fn write_report(report: &TriggerReport, out: &mut dyn Write) -> std::io::Result<()> {
    for (what, names) in [
        ("missing", &report.missing),
        ("altered", &report.altered),
        ("foreign", &report.foreign),
    ] {
        for name in names {
            writeln!(out, "{what} {name}")?;
        }
    }
    if !report.log_exists {
        writeln!(out, "missing the log table")?;
    }
    if report.is_complete() {
        return writeln!(out, "All {} triggers are in place.", report.expected);
    }
    writeln!(
        out,
        "Changes are missed; run `orderfeed source triggers install`, then `orderfeed indexer:reindex`."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        source: SourceArgs,
    }

    #[test]
    fn the_three_commands_parse() {
        for command in ["install", "remove", "check"] {
            assert!(
                Cli::try_parse_from(["orderfeed", "triggers", command]).is_ok(),
                "{command}"
            );
        }
        assert!(Cli::try_parse_from(["orderfeed", "triggers"]).is_err());
        let _ = Cli::try_parse_from(["orderfeed", "triggers", "check"]).map(|cli| cli.source);
    }

    #[test]
    fn a_report_lists_the_problems_and_the_remedy() {
        let report = TriggerReport {
            expected: 54,
            log_exists: true,
            missing: vec!["trg_a".into()],
            altered: vec!["trg_b".into()],
            foreign: vec!["trg_c".into()],
        };
        let mut out = Vec::new();
        write_report(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with("missing trg_a\naltered trg_b\nforeign trg_c\nChanges are missed;"),
            "{text}"
        );
        let mut out = Vec::new();
        write_report(
            &TriggerReport {
                expected: 54,
                log_exists: true,
                ..TriggerReport::default()
            },
            &mut out,
        )
        .unwrap();
        assert_eq!(out, b"All 54 triggers are in place.\n");
    }
}
