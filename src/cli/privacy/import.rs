//! `suppress import`: a file of any length, in bounded memory.
//!
//! Hashes are collected, sorted and sent in chunks, each a transaction: in the order of the table, or a million of them
//! would rewrite it page by page a hundred times. The list is complete before what waits is gone through, once.

use std::path::PathBuf;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::execute::{Session, another_answer};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output;
use crate::cli::output::progress::Meter;
use crate::cli::privacy::persons::{BadLine, Lines, fields, open, person};
use crate::daemon::control::persons::{MAX_PERSONS, PersonId, Screening, SuppressOptions, Suppressed};
use crate::daemon::control::{Outcome, Request};
use crate::store::suppression::Person;

/// Hashes that are sorted at a time: 8 MiB.
const SORTED_AT_ONCE: usize = 1 << 18;
/// Bad lines that are named one by one.
const MOST_NAMED: u64 = 20;

/// Options of `suppress import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// The file; "-" is stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The column of a CSV file: its number from 1, or its name in the first line
    #[arg(long, value_name = "NAME|N")]
    pub column: Option<String>,
    /// What separates the columns
    #[arg(long, value_name = "CHAR", default_value_t = ',')]
    pub delimiter: char,
    /// Why, or where it comes from, for whoever looks later; no address
    #[arg(long, value_name = "TEXT", default_value = "imported")]
    pub note: String,
    /// A JSON object with the counts
    #[arg(long)]
    pub json: bool,
}

/// Runs `suppress import`. Exit code 1 if a line was bad.
///
/// # Errors
/// If the file cannot be read, has no such column, or as [`crate::cli::execute::execute`].
pub async fn run(context: &Context, args: ImportArgs) -> anyhow::Result<Exit> {
    let (name, input) = open(&args.file)?;
    let mut session = Session::new(context, "orderfeed suppress import")?;
    let mut import = Import {
        name,
        note: args.note,
        waiting: Vec::new(),
        sum: Suppressed::default(),
        lines: 0,
        bad: 0,
        meter: Meter::new(),
    };
    let mut lines = Lines::of(input);
    let column = column(args.column.as_deref(), args.delimiter, &mut lines)?;
    for line in lines {
        let line = line?;
        let found = line.text.and_then(|text| match column {
            Some(column) => match fields(&text, args.delimiter).get(column) {
                Some(field) => person(field),
                None => Err(BadLine::NoColumn),
            },
            None => person(&text),
        });
        match found {
            Ok(person) => import.waiting.push(person),
            Err(bad) => import.name_bad(line.number, bad),
        }
        import.lines += 1;
        if import.waiting.len() == SORTED_AT_ONCE {
            import.flush(&mut session).await?;
        }
    }
    import.flush(&mut session).await?;
    ask(&mut session, &[], "", Screening::Now, &mut import.sum).await?;
    import.finish(args.json)
}

struct Import {
    name: String,
    note: String,
    waiting: Vec<Person>,
    sum: Suppressed,
    lines: u64,
    bad: u64,
    meter: Meter,
}

impl Import {
    async fn flush(&mut self, session: &mut Session<'_>) -> anyhow::Result<()> {
        let mut persons = std::mem::take(&mut self.waiting);
        persons.sort_unstable();
        persons.dedup();
        for chunk in persons.chunks(MAX_PERSONS) {
            ask(session, chunk, &self.note, Screening::Later, &mut self.sum).await?;
            let (lines, done) = (self.lines, self.sum.added + self.sum.known);
            self.meter
                .say(|_| format!("{lines} lines read, {done} persons on the list"));
        }
        Ok(())
    }

    fn name_bad(&mut self, number: u64, bad: BadLine) {
        self.bad += 1;
        if self.bad <= MOST_NAMED {
            self.meter.clear();
            output::talk(&format!("Line {number} of {} {bad}; it is skipped", self.name));
        }
    }

    fn finish(mut self, json: bool) -> anyhow::Result<Exit> {
        self.meter.clear();
        match json {
            true => output::json(&serde_json::json!({
                "lines": self.lines, "bad": self.bad, "added": self.sum.added, "known": self.sum.known,
                "events": self.sum.events, "under_way": self.sum.in_flight,
            }))?,
            false => output::data(&render(&self.sum))?,
        }
        if self.bad > 0 {
            output::talk(&format!(
                "{} of {} lines were bad and skipped",
                self.bad, self.lines
            ));
            return Ok(Exit::Failed);
        }
        Ok(Exit::Ok)
    }
}

/// Puts a few persons on the list and adds up what came of it.
pub(crate) async fn ask(
    session: &mut Session<'_>,
    persons: &[Person],
    note: &str,
    screening: Screening,
    sum: &mut Suppressed,
) -> anyhow::Result<()> {
    let options = SuppressOptions {
        persons: persons.iter().copied().map(PersonId).collect(),
        note: note.to_owned(),
        screening,
    };
    let outcome = session.execute(Request::Suppress(options)).await?;
    let Outcome::Suppressed(some) = outcome else {
        return Err(another_answer(&outcome));
    };
    sum.added += some.added;
    sum.known += some.known;
    sum.events += some.events;
    sum.in_flight += some.in_flight;
    Ok(())
}

/// What came of it, for people.
pub(crate) fn render(sum: &Suppressed) -> String {
    let mut text = format!(
        "{} persons added to the suppression list, {} were on it; {} waiting events are suppressed (local)\n",
        sum.added, sum.known, sum.events
    );
    if sum.in_flight > 0 {
        text.push_str(&format!(
            "{} batches are on their way to the edge in this moment; what of them was not sent yet is looked into before \
             it is\n",
            sum.in_flight
        ));
    }
    text
}

/// Which field of each line is meant. A name is looked up in the first line, which is used up by that.
fn column<R: std::io::BufRead>(
    wanted: Option<&str>,
    delimiter: char,
    lines: &mut Lines<R>,
) -> anyhow::Result<Option<usize>> {
    let Some(wanted) = wanted else { return Ok(None) };
    if let Ok(number) = wanted.parse::<usize>() {
        let index = number.checked_sub(1);
        return Ok(Some(
            index.ok_or_else(|| UsageError("columns are counted from 1".to_owned()))?,
        ));
    }
    let header = lines.next().transpose()?.and_then(|line| line.text.ok());
    let names = header.map(|text| fields(&text, delimiter)).unwrap_or_default();
    let same = |name: &String| name.trim().eq_ignore_ascii_case(wanted.trim());
    match names.iter().position(same) {
        Some(index) => Ok(Some(index)),
        None => Err(UsageError(format!("the first line names no column {wanted:?}")).into()),
    }
}
