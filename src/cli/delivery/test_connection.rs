//! `test-connection`: tests the requests of delivery without sending an event.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;

use crate::cli::context::{Context, configured_website, view};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::output::table::visible;
use crate::delivery::connection_report::ConnectionReport;
use crate::delivery::connection_test::{CheckVerdict, ConnectionCheck};

#[derive(Clone, Debug, Default, Args)]
pub struct TestConnectionArgs {
    /// Code of a website; all configured websites if not given
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
    /// Print a JSON object for scripts; its `version` numbers the shape
    #[arg(long)]
    pub json: bool,
}

pub async fn run(context: &Context, args: TestConnectionArgs) -> anyhow::Result<Exit> {
    let config = Arc::new(context.config()?);
    if let Some(code) = &args.website {
        configured_website(&config, code)?;
    }
    // Without a store, nothing was ever sent.
    let pauses = view(&config).and_then(|mut store| store.read(|reader| reader.pauses()));
    let pauses = pauses.unwrap_or_default();
    let clock = context.clock.clone();
    let report = ConnectionReport::collect(config, args.website.as_deref(), pauses, clock).await?;
    output::result(args.json, &report, || render(&report))?;
    Ok(exit_of(report.verdict))
}

fn exit_of(verdict: CheckVerdict) -> Exit {
    match verdict {
        CheckVerdict::Ok | CheckVerdict::Skipped => Exit::Ok,
        CheckVerdict::Failed => Exit::Failed,
        CheckVerdict::Paused | CheckVerdict::Unreachable => Exit::Unavailable,
    }
}

fn render(report: &ConnectionReport) -> String {
    let mut text = format!("Edge {}\n", report.edge);
    for check in &report.shared {
        put(&mut text, check);
    }
    for website in &report.websites {
        let _ = writeln!(text, "Website {}", visible(&website.code));
        for check in &website.checks {
            put(&mut text, check);
        }
    }
    for note in &report.notes {
        let _ = writeln!(text, "Note: {note}");
    }
    let _ = writeln!(text, "Verdict: {}", report.sentence());
    text
}

fn put(text: &mut String, check: &ConnectionCheck) {
    let verdict = check.verdict.word();
    let _ = writeln!(
        text,
        "  {:<22} {verdict:<11} {}",
        check.name,
        visible(&check.detail)
    );
    let more = check.answer();
    // Support asks for these after a failure.
    if check.verdict != CheckVerdict::Ok && !more.is_empty() {
        let _ = writeln!(text, "  {:<22} {:<11} {}", "", "", visible(&more));
    }
    if let Some(remedy) = &check.remedy {
        let _ = writeln!(text, "  {:<22} {:<11} remedy: {}", "", "", visible(remedy));
    }
}
