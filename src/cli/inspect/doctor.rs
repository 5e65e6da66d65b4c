//! `orderfeed doctor`: everything an on-call person would check, with verdict and remedy. The checks are
//! [`crate::doctor`]; here they become text.

use std::fmt::Write as _;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::table::visible;
use crate::cli::output::{self, Paint};
use crate::config::{Config, load, process_environment};
use crate::daemon::requests::error::RequestError;
use crate::doctor::collect;
use crate::doctor::finding::{Finding, Verdict};
use crate::doctor::report::Report;

/// Options of `doctor`.
#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {
    /// Of the checks of single websites, only those of this one
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
    /// A JSON object for scripts; its `version` counts the shape
    #[arg(long)]
    pub json: bool,
}

/// Runs `doctor`. A configuration that cannot be used is a finding, no error.
///
/// # Errors
/// If the website is not configured, or stdout cannot be written.
pub async fn run(context: &Context, args: DoctorArgs) -> anyhow::Result<Exit> {
    let loaded = load(context.config_path(), process_environment());
    if let (Ok(loaded), Some(code)) = (&loaded, &args.website) {
        must_know(&loaded.config, code)?;
    }
    // A large future: it asks everybody at once.
    let report = Box::pin(collect::examine(loaded, &context.clock, args.website.as_deref())).await;
    match args.json {
        true => output::json(&report)?,
        false => output::data(&render(&report, Paint::for_stdout()))?,
    }
    Ok(match report.verdict {
        Verdict::Problem => Exit::Failed,
        _ => Exit::Ok,
    })
}

fn must_know(config: &Config, code: &str) -> Result<(), RequestError> {
    if config.websites.contains_key(code) {
        return Ok(());
    }
    let known: Vec<&str> = config.websites.keys().map(String::as_str).collect();
    Err(RequestError::UnknownWebsite {
        code: code.to_owned(),
        known: known.join(", "),
    })
}

/// A line for each finding, by group; then what is to be done, the problems last, where a terminal shows them.
fn render(report: &Report, paint: Paint) -> String {
    let lines = lines(&report.checks);
    let names = lines.iter().map(|(name, _)| name.chars().count());
    let width = names.max().unwrap_or_default();
    let (mut text, mut group) = (String::new(), "");
    for (name, finding) in &lines {
        if finding.check.group() != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = finding.check.group();
            let _ = writeln!(text, "{gap}{}", title(group));
        }
        let verdict = word(finding.verdict, paint);
        let _ = writeln!(text, "  {verdict} {name:<width$}  {}", visible(&finding.message));
    }
    for (verdict, heading) in [(Verdict::Warning, "Warnings"), (Verdict::Problem, "Problems")] {
        put_remedies(&mut text, report, verdict, heading);
    }
    let _ = writeln!(text, "\n{}", summary(report));
    text
}

/// What a group skips for one reason is one line.
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
    let count = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    let took = report.duration_ms as f64 / 1000.0;
    match report.verdict {
        Verdict::Ok | Verdict::Note | Verdict::Skipped => {
            format!(
                "Nothing is wrong ({} in {took:.1} s)",
                count(report.checks.len(), "finding")
            )
        }
        Verdict::Warning | Verdict::Problem => format!(
            "{}, {} ({} in {took:.1} s)",
            count(report.problems, "problem"),
            count(report.warnings, "warning"),
            count(report.checks.len(), "finding")
        ),
    }
}

/// `edge.datastream base`
fn name(finding: &Finding) -> String {
    match &finding.subject {
        Some(subject) => visible(&format!("{} {subject}", finding.check.id())),
        None => finding.check.id().to_owned(),
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

/// All as long as the longest.
fn word(verdict: Verdict, paint: Paint) -> String {
    let (word, colour) = match verdict {
        Verdict::Ok => ("ok     ", 32),
        Verdict::Skipped => ("skipped", 2),
        Verdict::Note => ("note   ", 36),
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
            Finding::problem(
                Check::Token,
                "the token service refuses the client\u{1b}[31m",
                "check edge.oauth",
            ),
            Finding::ok(Check::Disk, "10.0 GiB free"),
            Finding::warning(
                Check::Sender,
                "delivery was paused",
                "orderfeed delivery resume --website base",
            )
            .about("base"),
            Finding::skipped(Check::Datastream, "there is no token").about("base"),
            Finding::skipped(Check::Datastream, "there is no token").about("uk"),
        ];
        Report::of(findings, UtcMillis(0), UtcMillis(1_234))
    }

    #[test]
    fn problems_stand_last_with_their_remedy() {
        let expected = "\
Files and disk
  ok      files.disk            10.0 GiB free

Edge
  PROBLEM edge.token            the token service refuses the client\\u{1b}[31m
  skipped edge: 2 checks        there is no token

Delivery
  WARNING delivery.sender base  delivery was paused

Warnings, and what to do
  delivery.sender base: delivery was paused
    → orderfeed delivery resume --website base

Problems, and what to do
  edge.token: the token service refuses the client\\u{1b}[31m
    → check edge.oauth

1 problem, 1 warning (5 findings in 1.2 s)
";
        assert_eq!(render(&report(), Paint::Plain), expected);
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        assert!(!render(&report(), Paint::Plain).contains('\u{1b}'));
        assert!(render(&report(), Paint::Colour).contains("\u{1b}[31mPROBLEM\u{1b}[0m"));
    }

    #[test]
    fn a_report_without_findings_to_mend_says_so() {
        let fine = Report::of(vec![Finding::ok(Check::Disk, "a")], UtcMillis(0), UtcMillis(100));
        assert!(render(&fine, Paint::Plain).ends_with("\nNothing is wrong (1 finding in 0.1 s)\n"));
    }
}
