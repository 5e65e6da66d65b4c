//! `privacy erase`: what the store holds of a person.

pub(crate) mod import;
pub mod persons;
pub mod suppress;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output;
use crate::cli::privacy::persons::WhoArgs;
use crate::daemon::control::persons::{EraseOptions, Erased, MAX_PERSONS, PersonId};
use crate::daemon::control::{Outcome, Request};

/// `orderfeed privacy …`
#[derive(Clone, Debug, Subcommand)]
pub enum PrivacyCommand {
    /// Remove what the store holds of a person, and say what was removed
    #[command(
        after_help = "Removes the bodies of their events, whether these wait, were delivered or need a decision, \
        and the edge's words about them. What waited is never sent. The ids stay, so that nothing is sent twice. The \
        persons are put on the suppression list, because the shop still has their orders.\nNot reached: the shop, \
        Experience Platform, backups and snapshots of the store, logs (which name nobody).\nExit code 75 if \
        something was on its way to the edge: run it again.\n\nExamples:\n  \
        orderfeed privacy erase --email - --dry-run     type the address, then Ctrl-D\n  \
        orderfeed privacy erase --file request.txt --json"
    )]
    Erase(EraseArgs),
}

/// Options of `privacy erase`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("whom").required(true).multiple(true))]
pub struct EraseArgs {
    /// The e-mail address; "-" reads addresses from stdin, one a line. Other users can see a command line: prefer "-"
    #[arg(long, value_name = "EMAIL", group = "whom")]
    pub email: Vec<String>,
    /// A file with one address or hash a line
    #[arg(long, value_name = "FILE", group = "whom")]
    pub file: Option<PathBuf>,
    /// The SHA-256 of the trimmed, lower-case address, in hexadecimal
    #[arg(long, value_name = "HEX", group = "whom")]
    pub sha256: Vec<String>,
    /// Do not put them on the suppression list: later events of theirs are sent
    #[arg(long)]
    pub without_suppression: bool,
    /// Say what would be removed; remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// A JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs a `privacy` command.
///
/// # Errors
/// If the input cannot be read, or as [`execute`].
pub async fn run(context: &Context, command: PrivacyCommand) -> anyhow::Result<Exit> {
    let PrivacyCommand::Erase(args) = command;
    let who = WhoArgs {
        emails: args.email,
        file: args.file,
        sha256: args.sha256,
    };
    let persons: Vec<_> = who.persons()?.into_iter().map(PersonId).collect();
    if persons.is_empty() || persons.len() > MAX_PERSONS {
        let sentence = format!(
            "{} persons were named; 1 to {MAX_PERSONS} are possible",
            persons.len()
        );
        return Err(UsageError(sentence).into());
    }
    let options = EraseOptions {
        persons,
        suppress: !args.without_suppression,
        dry_run: args.dry_run,
    };
    let outcome = execute(context, Request::Erase(options), "orderfeed privacy erase").await?;
    let Outcome::Erased(erased) = outcome else {
        return Err(another_answer(&outcome));
    };
    match args.json {
        true => output::json(&erased)?,
        false => output::data(&render(&erased))?,
    }
    if erased.in_flight > 0 {
        output::talk("Something was on its way to the edge and is still there; run this again in a moment");
        return Ok(Exit::TempFail);
    }
    Ok(Exit::Ok)
}

fn render(erased: &Erased) -> String {
    let Erased {
        orders,
        waiting,
        sent,
        parked,
        texts,
        bytes,
        listed,
        ..
    } = erased;
    let (done, end) = match erased.dry_run {
        true => ("Would be removed", "would end"),
        false => ("Removed", "end"),
    };
    let mut text = format!(
        "{done}, of {orders} orders:\n\
         {waiting:>8} bodies of events that waited (outbox_body); these {end} as suppressed (erased)\n\
         {sent:>8} bodies of events that were sent (outbox_body)\n\
         {parked:>8} dead letters (outbox_parked); these {end} as suppressed (erased)\n\
         {texts:>8} texts of the edge's answers (outbox_batch, outbox_attempt)\n\
         {bytes:>8} bytes of bodies that waited or were sent\n"
    );
    if !erased.dry_run {
        text.push_str(&format!("{listed} persons are new on the suppression list\n"));
        if !erased.log_emptied {
            text.push_str("The write-ahead log is still read by somebody; it is emptied by the next run of this or a stop\n");
        }
        text.push_str("Backups and snapshots of the store are not reached\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_is_said_by_table() {
        let erased = Erased {
            orders: 2,
            waiting: 3,
            sent: 4,
            parked: 1,
            texts: 2,
            bytes: 9000,
            listed: 1,
            log_emptied: true,
            ..Erased::default()
        };
        let text = render(&erased);
        for words in [
            "Removed, of 2 orders:\n",
            "       3 bodies of events that waited (outbox_body); these end as suppressed (erased)\n",
            "       4 bodies of events that were sent (outbox_body)\n",
            "       1 dead letters (outbox_parked)",
            "1 persons are new on the suppression list\nBackups",
        ] {
            assert!(text.contains(words), "{words:?} is missing:\n{text}");
        }
    }
}
