//! `doctor`: prints the findings of [`crate::doctor`], with verdicts and remedies.

use std::fmt::Write as _;

use clap::Args;

use crate::cli::context::{Context, ContextError, configured_website};
use crate::cli::exit::Exit;
use crate::cli::output::table::visible;
use crate::cli::output::{self, Paint};
use crate::doctor::collect;
use crate::doctor::finding::{Finding, Verdict};
use crate::doctor::report::Report;
use crate::ops::sentence;

#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {
    /// Limit the checks of single websites to this one
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
    /// Print a JSON object for scripts; its `version` numbers the shape
    #[arg(long)]
    pub json: bool,
}

/// Runs `doctor`. An invalid configuration is a finding, not an error.
pub async fn run(context: &Context, args: DoctorArgs) -> anyhow::Result<Exit> {
    let loaded = match context.load() {
        Ok(loaded) => Ok(loaded),
        Err(ContextError::Config(errors)) => Err(errors),
        Err(error) => return Err(error.into()),
    };
    if let (Ok(loaded), Some(code)) = (&loaded, &args.website) {
        configured_website(&loaded.config, code)?;
    }
    // Boxed because the future is large: all checks run at the same time.
    let report = Box::pin(collect::examine(loaded, &context.clock, args.website.as_deref())).await;
    output::result_for(context.addressee().as_ref(), args.json, &report, || {
        render(&report, Paint::for_stdout())
    })?;
    Ok(match report.verdict {
        Verdict::Problem => Exit::Failed,
        _ => Exit::Ok,
    })
}

/// Formats the most severe finding, a line for each finding by group, and then the remedies. Problems are last, where they
/// remain on the screen.
fn render(report: &Report, paint: Paint) -> String {
    let lines = lines(&report.checks);
    let names = lines.iter().map(|(name, _)| name.chars().count());
    let width = names.max().unwrap_or_default();
    let (mut text, mut group) = (headline(report, paint), "");
    for (name, finding) in &lines {
        if finding.check.group() != group {
            group = finding.check.group();
            let _ = writeln!(text, "\n{}", title(group));
        }
        let verdict = word(finding.verdict, paint);
        let _ = writeln!(text, "  {verdict} {name:<width$}  {}", visible(&finding.message));
    }
    let chapters = [
        (Verdict::Unknown, "Not checked"),
        (Verdict::Warning, "Warnings"),
        (Verdict::Problem, "Problems"),
    ];
    for (verdict, heading) in chapters {
        put_remedies(&mut text, report, verdict, heading);
    }
    let _ = writeln!(text, "\n{}", summary(report));
    text
}

/// Formats the most severe finding and its remedy.
fn headline(report: &Report, paint: Paint) -> String {
    let Some(finding) = report.headline() else {
        return "All is well\n".to_owned();
    };
    let verdict = word(finding.verdict, paint);
    let mut text = format!("{verdict} {}: {}\n", name(finding), visible(&finding.message));
    if let Some(remedy) = &finding.remedy {
        let _ = writeln!(text, "  → {}", visible(remedy));
    }
    text
}

/// Merges the checks that a group skips for the same reason into one line.
fn lines(findings: &[Finding]) -> Vec<(String, &Finding)> {
    let alike = |a: &Finding, b: &Finding| {
        a.verdict == Verdict::Skipped
            && (a.verdict, a.check.group(), &a.message) == (b.verdict, b.check.group(), &b.message)
    };
    let runs = findings.chunk_by(alike);
    runs.filter_map(|run| {
        let first = run.first()?;
        let name = match run.len() {
            1 => name(first),
            checks => format!("{}: {checks} checks", first.check.group()),
        };
        Some((name, first))
    })
    .collect()
}

fn put_remedies(text: &mut String, report: &Report, verdict: Verdict, heading: &str) {
    let mut chosen = report
        .checks
        .iter()
        .filter(|finding| finding.verdict == verdict)
        .peekable();
    if chosen.peek().is_some() {
        let _ = writeln!(text, "\n{heading}, and what to do");
    }
    for finding in chosen {
        let _ = writeln!(text, "  {}: {}", name(finding), visible(&finding.message));
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "    → {}", visible(remedy));
        }
    }
}

fn summary(report: &Report) -> String {
    let count = |number: usize, noun| sentence::count(number as u64, noun);
    let took = format!(
        "{} in {:.1} s",
        count(report.checks.len(), "finding"),
        report.duration_ms as f64 / 1000.0
    );
    match report.verdict {
        Verdict::Ok | Verdict::Note | Verdict::Skipped => format!("No problems found ({took})"),
        Verdict::Unknown | Verdict::Warning | Verdict::Problem => {
            let (problems, warnings) = (
                count(report.problems, "problem"),
                count(report.warnings, "warning"),
            );
            let unknown = match report.unknown {
                0 => String::new(),
                unknown => format!(", {unknown} not checked"),
            };
            format!("{problems}, {warnings}{unknown} ({took})")
        }
    }
}

/// Returns the check and its subject, such as `edge.datastream base`.
fn name(finding: &Finding) -> String {
    match &finding.subject {
        Some(subject) => visible(&format!("{} {subject}", finding.check.as_str())),
        None => finding.check.as_str().to_owned(),
    }
}

fn title(group: &str) -> &str {
    match group {
        "configuration" => "Configuration",
        "files" => "Files and disk",
        "store" => "Store",
        "daemon" => "Daemon",
        "schedules" => "Schedules",
        "source" => "Source",
        "clock" => "Clock",
        "edge" => "Edge",
        "index" => "Index",
        "delivery" => "Delivery",
        other => other,
    }
}

/// Returns the verdict's word, padded to the longest.
fn word(verdict: Verdict, paint: Paint) -> String {
    let (word, colour) = match verdict {
        Verdict::Ok => ("ok     ", 32),
        Verdict::Skipped => ("skipped", 2),
        Verdict::Note => ("note   ", 36),
        Verdict::Unknown => ("UNKNOWN", 35),
        Verdict::Warning => ("WARNING", 33),
        Verdict::Problem => ("PROBLEM", 31),
    };
    match paint {
        Paint::Plain => word.to_owned(),
        Paint::Colour => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Check;
    use orderfeed_model::clock::UtcMillis;

    fn report() -> Report {
        let findings = vec![
            Check::Token.problem(
                "the token service refuses the client\u{1b}[31m",
                "check edge.oauth",
            ),
            Check::Disk.ok("10.0 GiB free"),
            Check::Sender
                .warning("delivery was paused", "orderfeed delivery resume --website base")
                .about("base"),
            Check::Datastream.skipped("there is no token").about("base"),
            Check::Datastream.skipped("there is no token").about("uk"),
            Check::Capture.unknown("this account may not see triggers", "check them as another"),
        ];
        Report::new(findings, UtcMillis(0), UtcMillis(1_234))
    }

    #[test]
    fn the_worst_is_first_and_problems_are_last_with_their_remedies() {
        let expected = "\
PROBLEM edge.token: the token service refuses the client\\u{1b}[31m
  → check edge.oauth

Files and disk
  ok      files.disk            10.0 GiB free

Source
  UNKNOWN source.capture        this account may not see triggers

Edge
  PROBLEM edge.token            the token service refuses the client\\u{1b}[31m
  skipped edge: 2 checks        there is no token

Delivery
  WARNING delivery.sender base  delivery was paused

Not checked, and what to do
  source.capture: this account may not see triggers
    → check them as another

Warnings, and what to do
  delivery.sender base: delivery was paused
    → orderfeed delivery resume --website base

Problems, and what to do
  edge.token: the token service refuses the client\\u{1b}[31m
    → check edge.oauth

1 problem, 1 warning, 1 not checked (6 findings in 1.2 s)
";
        assert_eq!(render(&report(), Paint::Plain), expected);
    }

    #[test]
    fn plain_output_has_no_colour() {
        assert!(!render(&report(), Paint::Plain).contains('\u{1b}'));
        assert!(render(&report(), Paint::Colour).contains("\u{1b}[31mPROBLEM\u{1b}[0m"));
    }

    #[test]
    fn a_report_without_problems_ends_with_that() {
        let fine = Report::new(vec![Check::Disk.ok("a")], UtcMillis(0), UtcMillis(100));
        assert!(render(&fine, Paint::Plain).starts_with("All is well\n\nFiles and disk\n"));
        assert!(render(&fine, Paint::Plain).ends_with("\nNo problems found (1 finding in 0.1 s)\n"));
    }
}
