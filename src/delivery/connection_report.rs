//! The connection test of all websites, as the command prints it and the web page shows it.

use std::sync::Arc;

use serde::Serialize;

use crate::config::{Config, Website};
use crate::delivery::connection_test::{CheckVerdict, ConnectionCheck, ConnectionTest};
use crate::delivery::http::client::ClientError;
use crate::store::outbox::Pause;
use orderfeed_model::clock::Clock;

/// The checks of a connection test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionReport {
    /// Number of the shape. Added fields do not change it.
    version: u32,
    pub verdict: CheckVerdict,
    pub edge: String,
    /// Checks that concern every website.
    pub shared: Vec<ConnectionCheck>,
    pub websites: Vec<WebsiteReport>,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebsiteReport {
    pub code: String,
    pub checks: Vec<ConnectionCheck>,
}

impl ConnectionReport {
    /// Runs the checks for the configured websites, or for the one with this code. `pauses` are those in the store.
    ///
    /// # Errors
    /// If no HTTP client can be built with the configuration.
    pub async fn collect(
        config: Arc<Config>,
        website: Option<&str>,
        pauses: Vec<Pause>,
        clock: Clock,
    ) -> Result<Self, ClientError> {
        let test = ConnectionTest::new(Arc::clone(&config), pauses, clock)?;
        let shared = test.shared().await;
        let is_reachable = shared.iter().all(|check| check.verdict <= CheckVerdict::Ok);
        let mut websites = Vec::new();
        let selected = config
            .websites
            .iter()
            .filter(|(code, _)| website.is_none_or(|wanted| wanted == *code));
        for (code, website) in selected {
            websites.push(WebsiteReport {
                code: code.clone(),
                checks: website_checks(&test, code, website, is_reachable).await,
            });
        }
        Ok(Self {
            version: 1,
            verdict: worst(&shared, &websites),
            edge: config.edge.url.to_string(),
            shared,
            websites,
            notes: notes(&config),
        })
    }

    /// Returns the verdict as a sentence.
    pub fn sentence(&self) -> &'static str {
        match self.verdict {
            CheckVerdict::Ok | CheckVerdict::Skipped => "OK, events can be delivered",
            CheckVerdict::Failed => "FAILED, no events can be delivered until the failed checks are fixed",
            CheckVerdict::Paused => "PAUSED, a service asked to wait; nothing was sent to it",
            CheckVerdict::Unreachable => "UNREACHABLE, a service did not answer; try again later",
        }
    }
}

impl CheckVerdict {
    /// Returns the word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::Paused => "PAUSED",
            Self::Unreachable => "UNREACHABLE",
            Self::Skipped => "skipped",
        }
    }
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

fn notes(config: &Config) -> Vec<String> {
    let namespace = &config.privacy.guest_namespace;
    vec![format!(
        "Orders of guests without an e-mail address are identified in the namespace {namespace}. It must exist at Adobe, in \
         the sandbox of the datastream, which cannot be checked from here. If it does not exist, only those events fail."
    )]
}
