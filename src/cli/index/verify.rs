//! `verify`: compares the source with feed and outbox.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::Exit;
use crate::cli::output::table::{AsciiTable, Cell, Tone};
use crate::cli::output::{self, Paint};
use crate::daemon::control::verify::VerifyOptions;
use crate::daemon::control::{Outcome, Request};
use crate::indexer::{Difference, VerifyReport};
use crate::ops::sentence::human_duration;
use crate::store::feed::Exported;

#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub options: VerifyOptions,
    /// Print the whole report as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs `verify`. Returns `Failed` if differences remain or the comparison is incomplete.
pub async fn run(context: &Context, args: VerifyArgs) -> anyhow::Result<Exit> {
    args.options.validate()?;
    let outcome = execute(context, Request::Verify(args.options), "orderfeed verify").await?;
    let Outcome::Verified(report) = outcome else {
        return Err(another_answer(&outcome));
    };
    output::result(args.json, &report, || render(&report, Paint::for_stdout()))?;
    let agrees = report.left() == 0 && report.unknown.is_empty() && report.complete;
    Ok(if agrees { Exit::Ok } else { Exit::Failed })
}

fn render(report: &VerifyReport, paint: Paint) -> String {
    let mut text = format!(
        "Orders in the source: {}, in the feed: {} ({})\n",
        report.orders,
        report.in_feed,
        human_duration(report.elapsed_ms),
    );
    for (reason, orders) in &report.not_exported {
        text.push_str(&format!("Not exported: {orders}, {}\n", sentence_of(reason)));
    }
    if report.reused_ids > 0 {
        text.push_str(&format!(
            "Reused ids: {} orders and documents have the id of an earlier one, and event ids of their own\n",
            report.reused_ids
        ));
    }
    if !report.events.is_empty() {
        text.push_str(&events(report, paint));
    }
    // One by one if all orders of the report are withheld, as with `--orders`; in a whole shop the counts suffice.
    if report.orders <= report.withheld.len() as u64 {
        for one in &report.withheld {
            let why = sentence_of(&one.reason);
            text.push_str(&format!(
                "Order {} ({}) is not exported: {why}\n",
                one.number, one.order
            ));
        }
    }
    if !report.differences.is_empty() {
        text.push_str(&differences(&report.differences, paint));
    }
    for name in &report.unknown {
        text.push_str(&format!("{name}: no such order in the source or in the feed\n"));
    }
    text.push_str(&verdict(report));
    text.push('\n');
    text
}

fn sentence_of(reason: &str) -> &'static str {
    // A daemon of a later version may send a reason that is not in the list.
    let known = Exported::ALL.into_iter().find(|why| why.as_str() == reason);
    known.map_or("for a reason that another version stored", Exported::as_sentence)
}

fn events(report: &VerifyReport, paint: Paint) -> String {
    let mut table = AsciiTable::new(
        "Website | Kind | Expected | Delivered | Pending | Suppressed | Parked | Waiting | Missing",
    );
    for row in &report.events {
        let number = |count: u64| Cell::from(count.to_string());
        let tone = if row.missing > 0 { Tone::Bad } else { Tone::Plain };
        table.row([
            row.website.as_str().into(),
            row.kind.as_str().into(),
            number(row.expected),
            number(row.delivered),
            number(row.pending),
            number(row.suppressed),
            number(row.parked),
            number(row.waiting),
            Cell::toned(&row.missing.to_string(), tone),
        ]);
    }
    table.render(paint)
}

fn differences(differences: &[Difference], paint: Paint) -> String {
    let mut table = AsciiTable::new("Order | Number | Website | Difference | Missing Events");
    for one in differences {
        let detail = match one.detail.as_str() {
            "" => one.finding.as_sentence().to_owned(),
            detail => format!("{}: {detail}", one.finding.as_sentence()),
        };
        table.row([
            one.order.to_string().into(),
            one.number.as_str().into(),
            one.website.as_deref().unwrap_or("-").into(),
            detail.as_str().into(),
            one.missing_events.join(", ").into(),
        ]);
    }
    table.render(paint)
}

fn verdict(report: &VerifyReport) -> String {
    let found = report.differing.total();
    let waiting = match report.waiting {
        0 => String::new(),
        waiting => format!(" {waiting} orders changed and wait to be indexed, which is not a difference."),
    };
    let listed = match found > report.differences.len() as u64 {
        true => format!(" The list shows {} of them.", report.differences.len()),
        false => String::new(),
    };
    let verdict = match (found, report.repaired, report.left()) {
        (0, ..) if !report.unknown.is_empty() => format!(
            "Nothing else differs; {} of the named orders were not found.",
            report.unknown.len()
        ),
        (0, ..) => "Nothing differs.".to_owned(),
        (found, 0, _) => format!(
            "{found} orders differ.{listed} Run `orderfeed verify --repair` with the same options to index them again."
        ),
        (found, _, 0) => format!(
            "{found} orders differed.{listed} They are in the changelog and are indexed next; delivered events are not \
             sent again."
        ),
        (found, repaired, left) => format!(
            "{found} orders differ.{listed} {repaired} are in the changelog and are indexed next; {left} cannot be \
             read until their rows are corrected."
        ),
    };
    let early = match report.complete {
        true => "",
        false => " It ended early: not everything was compared.",
    };
    format!("{verdict}{waiting}{early}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indexer::{EventTally, Finding, Withheld};

    fn report() -> VerifyReport {
        let mut report = VerifyReport {
            orders: 1_200,
            in_feed: 1_199,
            elapsed_ms: 2_300,
            waiting: 2,
            complete: true,
            events: vec![EventTally {
                website: "base".to_owned(),
                kind: "placed".to_owned(),
                expected: 1_190,
                delivered: 1_188,
                pending: 1,
                missing: 1,
                ..EventTally::default()
            }],
            withheld: vec![Withheld {
                order: 9,
                number: "000000009".to_owned(),
                reason: "website_off".to_owned(),
            }],
            ..VerifyReport::default()
        };
        report.not_exported.insert("website_off".to_owned(), 10);
        report.differing.count(Finding::MissingOrder);
        report.differences.push(Difference {
            order: 7,
            number: "000000007".to_owned(),
            website: Some("base".to_owned()),
            finding: Finding::MissingOrder,
            missing_events: vec!["placed:7".to_owned()],
            detail: String::new(),
        });
        report
    }

    #[test]
    fn a_difference_is_shown_with_its_order_and_remedy() {
        insta::assert_snapshot!(render(&report(), Paint::Plain));
    }

    #[test]
    fn the_verdict_counts_what_is_left() {
        let mut report = report();
        report.repaired = 1;
        assert!(verdict(&report).starts_with("1 orders differed. They are in the changelog"));
        report.differing.count(Finding::Unreadable);
        assert!(verdict(&report).contains("1 are in the changelog and are indexed next; 1 cannot be read"));
        report.differing = crate::indexer::Differing::default();
        report.unknown = vec!["000000009".to_owned()];
        assert!(verdict(&report).contains("1 of the named orders were not found"));
        report.unknown.clear();
        report.complete = false;
        assert!(verdict(&report).starts_with("Nothing differs.") && verdict(&report).contains("ended early"));
    }
}
