//! `test-connection`: tests the requests of delivery without sending an event.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::cli::context::{Context, configured_website, view};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::output::table::visible;
use crate::config::{Config, Website};
use crate::delivery::connection_test::{CheckVerdict, ConnectionCheck, ConnectionTest};

#[derive(Clone, Debug, Default, Args)]
pub struct TestConnectionArgs {
    /// Code of a website; all configured websites if not given
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
    /// Print a JSON object for scripts; its `version` numbers the shape
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ConnectionReport {
    /// Number of the shape. Added fields do not change it.
    version: u32,
    verdict: CheckVerdict,
    edge: String,
    shared: Vec<ConnectionCheck>,
    websites: Vec<WebsiteReport>,
    notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct WebsiteReport {
    code: String,
    checks: Vec<ConnectionCheck>,
}

pub async fn run(context: &Context, args: TestConnectionArgs) -> anyhow::Result<Exit> {
    let config = Arc::new(context.config()?);
    let selected = match &args.website {
        Some(code) => vec![configured_website(&config, code)?],
        None => config.websites.iter().collect(),
    };
    // Without a store, nothing was ever sent.
    let pauses = view(&config).and_then(|mut store| store.read(|reader| reader.pauses()));
    let pauses = pauses.unwrap_or_default();
    let test = ConnectionTest::new(Arc::clone(&config), pauses, context.clock.clone())?;
    let shared = test.shared().await;
    let is_reachable = shared.iter().all(|check| check.verdict <= CheckVerdict::Ok);
    let mut websites = Vec::new();
    for (code, website) in selected {
        websites.push(WebsiteReport {
            code: code.clone(),
            checks: website_checks(&test, code, website, is_reachable).await,
        });
    }
    let report = ConnectionReport {
        version: 1,
        verdict: worst(&shared, &websites),
        edge: config.edge.url.to_string(),
        shared,
        websites,
        notes: notes(&config),
    };
    output::result(args.json, &report, || render(&report))?;
    Ok(exit_of(report.verdict))
}

async fn website_checks(
    test: &ConnectionTest,
    code: &str,
    website: &Website,
    is_reachable: bool,
) -> Vec<ConnectionCheck> {
    let configuration = |verdict, detail: &str| ConnectionCheck::new("configuration", verdict, detail);
    let Some(datastream) = &website.datastream else {
        let detail = "back-office events are switched off and there is no datastream, so nothing is sent";
        return vec![configuration(CheckVerdict::Skipped, detail)];
    };
    let detail = match website.back_office_events {
        true => format!("back-office events go to datastream {datastream}"),
        false => format!(
            "back-office events are switched off; pending events are still sent to datastream {datastream}"
        ),
    };
    // Without a connection or a token, every website would repeat the failure of a shared check.
    let round_trip = match is_reachable {
        true => test.round_trip(code).await,
        false => ConnectionCheck::new("edge", CheckVerdict::Skipped, "a check above failed"),
    };
    vec![configuration(CheckVerdict::Ok, &detail), round_trip]
}

fn worst(shared: &[ConnectionCheck], websites: &[WebsiteReport]) -> CheckVerdict {
    let of_websites = websites.iter().flat_map(|website| &website.checks);
    let verdicts = shared.iter().chain(of_websites).map(|check| check.verdict);
    verdicts.fold(CheckVerdict::Ok, CheckVerdict::max)
}

fn exit_of(verdict: CheckVerdict) -> Exit {
    match verdict {
        CheckVerdict::Ok | CheckVerdict::Skipped => Exit::Ok,
        CheckVerdict::Failed => Exit::Failed,
        CheckVerdict::Paused | CheckVerdict::Unreachable => Exit::Unavailable,
    }
}

fn notes(config: &Config) -> Vec<String> {
    let namespace = &config.privacy.guest_namespace;
    vec![format!(
        "Orders of guests without an e-mail address are identified in the namespace {namespace}. It must exist at Adobe, in \
         the sandbox of the datastream, which cannot be checked from here. If it does not exist, only those events fail."
    )]
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
    text.push_str(match report.verdict {
        CheckVerdict::Ok | CheckVerdict::Skipped => "Verdict: OK, events can be delivered\n",
        CheckVerdict::Failed => {
            "Verdict: FAILED, no events can be delivered until the failed checks are fixed\n"
        }
        CheckVerdict::Paused => "Verdict: PAUSED, a service asked to wait; nothing was sent to it\n",
        CheckVerdict::Unreachable => "Verdict: UNREACHABLE, a service did not answer; try again later\n",
    });
    text
}

fn put(text: &mut String, check: &ConnectionCheck) {
    let verdict = match check.verdict {
        CheckVerdict::Ok => "ok",
        CheckVerdict::Failed => "FAILED",
        CheckVerdict::Paused => "PAUSED",
        CheckVerdict::Unreachable => "UNREACHABLE",
        CheckVerdict::Skipped => "skipped",
    };
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
