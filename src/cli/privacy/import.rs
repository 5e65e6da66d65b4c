//! `suppress import`: adds a file of any length to the suppression list, in bounded memory.

use std::path::PathBuf;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::execute::{Session, another_answer};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output;
use crate::cli::output::progress::Meter;
use crate::cli::privacy::persons::{InputLines, LineError, fields, open, person};
use crate::daemon::control::persons::{MAX_PERSONS, PersonId, Screening, SuppressOptions, Suppressed};
use crate::daemon::control::{Outcome, Request};
use crate::store::suppression::Person;

/// Number of hashes sorted at a time: 8 MiB.
const SORT_SIZE: usize = 1 << 18;
/// Number of invalid lines reported one by one.
const MAX_REPORTED: u64 = 20;

#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// File to read; "-" is stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Column of a CSV file: its number from 1, or its name in the first line
    #[arg(long, value_name = "NAME|N")]
    pub column: Option<String>,
    /// Character between the columns
    #[arg(long, value_name = "CHAR", default_value_t = ',')]
    pub delimiter: char,
    /// Reason or origin, stored with each person; must not contain an address
    #[arg(long, value_name = "TEXT", default_value = "imported")]
    pub note: String,
    /// Print a JSON object with the counts
    #[arg(long)]
    pub json: bool,
}

/// Runs `suppress import`. Returns `Failed` if a line is invalid.
pub async fn run(context: &Context, args: ImportArgs) -> anyhow::Result<Exit> {
    let (name, input) = open(&args.file)?;
    let mut session = Session::new(context, "orderfeed suppress import")?;
    let mut import = Import {
        name,
        note: args.note,
        collected: Vec::new(),
        sum: Suppressed::default(),
        lines: 0,
        bad: 0,
        meter: Meter::default(),
    };
    let mut lines = InputLines::of(input);
    let column = column(args.column.as_deref(), args.delimiter, &mut lines)?;
    for line in lines {
        let line = line?;
        let found = line.text.and_then(|text| match column {
            Some(column) => {
                let fields = fields(&text, args.delimiter);
                person(fields.get(column).ok_or(LineError::NoColumn)?)
            }
            None => person(&text),
        });
        match found {
            Ok(person) => import.collected.push(person),
            Err(error) => import.report(line.number, error),
        }
        import.lines += 1;
        if import.collected.len() == SORT_SIZE {
            import.flush(&mut session).await?;
        }
    }
    import.flush(&mut session).await?;
    // Pending events are screened once, after the list is complete.
    suppress(&mut session, &[], "", Screening::Now, &mut import.sum).await?;
    import.finish(args.json)
}

struct Import {
    name: String,
    note: String,
    collected: Vec<Person>,
    sum: Suppressed,
    lines: u64,
    bad: u64,
    meter: Meter,
}

impl Import {
    async fn flush(&mut self, session: &mut Session<'_>) -> anyhow::Result<()> {
        let mut persons = std::mem::take(&mut self.collected);
        // In the order of the table. Otherwise a million hashes would rewrite each of its pages about a hundred times.
        persons.sort_unstable();
        persons.dedup();
        for chunk in persons.chunks(MAX_PERSONS) {
            suppress(session, chunk, &self.note, Screening::Later, &mut self.sum).await?;
            let (lines, done) = (self.lines, self.sum.added + self.sum.known);
            self.meter.draw(0, 0, |_| {
                format!("{lines} lines read, {done} persons on the list")
            });
        }
        Ok(())
    }

    fn report(&mut self, number: u64, error: LineError) {
        self.bad += 1;
        if self.bad <= MAX_REPORTED {
            self.meter.clear();
            output::notice(&format!("Line {number} of {} {error}; it is skipped", self.name));
        }
    }

    fn finish(mut self, json: bool) -> anyhow::Result<Exit> {
        self.meter.clear();
        // `under_way` is the older name of events in flight, which scripts rely on.
        let counts = serde_json::json!({
            "lines": self.lines, "bad": self.bad, "added": self.sum.added, "known": self.sum.known,
            "events": self.sum.events, "under_way": self.sum.in_flight,
        });
        output::result(json, &counts, || render(&self.sum))?;
        if self.bad > 0 {
            output::notice(&format!(
                "{} of {} lines are invalid and were skipped",
                self.bad, self.lines
            ));
            return Ok(Exit::Failed);
        }
        Ok(Exit::Ok)
    }
}

/// Adds up to [`MAX_PERSONS`] persons to the list, and their result to `sum`.
pub(crate) async fn suppress(
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

pub(crate) fn render(sum: &Suppressed) -> String {
    let mut text = format!(
        "{} persons added to the suppression list, {} were on it; {} pending events suppressed (local)\n",
        sum.added, sum.known, sum.events
    );
    if sum.in_flight > 0 {
        text.push_str(&format!(
            "{} batches are in flight; their unsent events are checked against the list before they are sent\n",
            sum.in_flight
        ));
    }
    text
}

/// Returns the index of the column. If it is given by name, this reads the first line.
fn column<R: std::io::BufRead>(
    wanted: Option<&str>,
    delimiter: char,
    lines: &mut InputLines<R>,
) -> anyhow::Result<Option<usize>> {
    let Some(wanted) = wanted else { return Ok(None) };
    if let Ok(number) = wanted.parse::<usize>() {
        let index = number.checked_sub(1);
        let index = index.ok_or_else(|| UsageError("columns are numbered from 1".to_owned()))?;
        return Ok(Some(index));
    }
    let header = lines.next().transpose()?.and_then(|line| line.text.ok());
    let names = header.map(|text| fields(&text, delimiter)).unwrap_or_default();
    let same = |name: &String| name.trim().eq_ignore_ascii_case(wanted.trim());
    let index = names.iter().position(same);
    Ok(Some(index.ok_or_else(|| {
        UsageError(format!("the first line has no column {wanted:?}"))
    })?))
}
