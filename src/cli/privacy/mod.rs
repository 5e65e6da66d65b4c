//! Commands about persons. `privacy erase`, which removes what the store holds about a person, is in this file.

pub(crate) mod import;
pub mod persons;
pub mod suppress;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output;
use crate::cli::privacy::persons::PersonArgs;
use crate::daemon::control::persons::{EraseOptions, Erased, MAX_PERSONS, PersonId};
use crate::daemon::control::{Outcome, Request};

#[derive(Clone, Debug, Subcommand)]
pub enum PrivacyCommand {
    /// Erase what the store holds about a person, and report what was erased
    #[command(
        after_help = "Removes the bodies of the person's events, pending, delivered or parked, and the edge's messages \
        about them. Pending events are not sent. Event ids stay, so that nothing is sent twice. The persons are added to \
        the suppression list, because the shop still has their orders.\nNot reached: the shop, Experience Platform, \
        backups and snapshots of the store, logs (which contain no personal data).\nExit code 75 if events were in \
        flight: run it again.\n\nExamples:\n  \
        orderfeed privacy erase --email - --dry-run     type the address, then Ctrl-D\n  \
        orderfeed privacy erase --file request.txt --json"
    )]
    Erase(EraseArgs),
}

#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("whom").required(true).multiple(true))]
pub struct EraseArgs {
    /// E-mail address; "-" reads addresses from stdin, one per line. Other users can see a command line: prefer "-"
    #[arg(long, value_name = "EMAIL", group = "whom")]
    pub email: Vec<String>,
    /// File with one address or hash per line
    #[arg(long, value_name = "FILE", group = "whom")]
    pub file: Option<PathBuf>,
    /// SHA-256 of the trimmed, lower-case address, in hexadecimal
    #[arg(long, value_name = "HEX", group = "whom")]
    pub sha256: Vec<String>,
    /// Do not add the persons to the suppression list: their later events are sent
    #[arg(long)]
    pub without_suppression: bool,
    /// Report what would be erased; erase nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

pub async fn run(context: &Context, command: PrivacyCommand) -> anyhow::Result<Exit> {
    let PrivacyCommand::Erase(args) = command;
    let named = PersonArgs {
        emails: args.email,
        file: args.file,
        sha256: args.sha256,
    };
    let persons: Vec<_> = named.persons()?.into_iter().map(PersonId).collect();
    // One request is one transaction, so all persons of a command must fit into it.
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
    output::result(args.json, &erased, || render(&erased))?;
    if erased.in_flight > 0 {
        output::notice("Events in flight could not be erased; run the command again in a moment");
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
        true => ("Would be erased", "would become"),
        false => ("Erased", "become"),
    };
    let mut text = format!(
        "{done}, of {orders} orders:\n\
         {waiting:>8} bodies of pending events (outbox_body); these {end} suppressed (erased)\n\
         {sent:>8} bodies of delivered events (outbox_body)\n\
         {parked:>8} parked events (outbox_parked); these {end} suppressed (erased)\n\
         {texts:>8} messages of the edge (outbox_batch, outbox_attempt)\n\
         {bytes:>8} bytes of pending and delivered bodies\n"
    );
    if !erased.dry_run {
        text.push_str(&format!("{listed} persons added to the suppression list\n"));
        if !erased.log_emptied {
            text.push_str("Another process still reads the write-ahead log; the next run of this command or a shutdown empties it\n");
        }
        text.push_str("Backups and snapshots of the store are unchanged\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_counts_what_was_erased_by_table() {
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
            "Erased, of 2 orders:\n",
            "       3 bodies of pending events (outbox_body); these become suppressed (erased)\n",
            "       4 bodies of delivered events (outbox_body)\n",
            "       1 parked events (outbox_parked)",
            "1 persons added to the suppression list\nBackups",
        ] {
            assert!(text.contains(words), "{words:?} is missing:\n{text}");
        }
    }
}
