//! `test-connection` reports the problem and the remedy, and ends with the documented exit code. Nothing is ingested.

use std::fmt::Write as _;
use std::path::Path;

use orderfeed_emulator::{
    DEFAULT_CLIENT, DEFAULT_DATASTREAM, DEFAULT_ORG, DEFAULT_SECRET, DatastreamConfig, Emulator,
    EmulatorConfig, EmulatorHandle,
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::proxy::{ConnectProxy, LOGIN, ProxyMode};

const OTHER_DATASTREAM: &str = "11111111-2222-4333-8444-555555555555";

/// The configuration under test.
struct Written {
    edge: String,
    token_url: String,
    auth: &'static str,
    organization: &'static str,
    secret: &'static str,
    datastream: &'static str,
    ca: Option<String>,
}

impl Written {
    fn for_edge(emulator: &EmulatorHandle) -> Self {
        Self {
            edge: emulator.server_url(),
            token_url: emulator.ims_url(),
            auth: "oauth",
            organization: DEFAULT_ORG,
            secret: DEFAULT_SECRET,
            datastream: DEFAULT_DATASTREAM,
            ca: emulator.ca_pem().map(str::to_owned),
        }
    }

    fn write(&self, dir: &Path) {
        let mut text = format!(
            "[services_connector]\norganization_id = \"{}\"\n\
             production.data_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\n\
             [edge]\nurl = \"{}\"\nauth = \"{}\"\n",
            self.organization, self.edge, self.auth
        );
        if let Some(ca) = &self.ca {
            std::fs::write(dir.join("ca.pem"), ca).unwrap();
            text.push_str("ca_file = \"ca.pem\"\n");
        }
        write!(
            text,
            "[edge.oauth]\ntoken_url = \"{}\"\nclient_id = \"{DEFAULT_CLIENT}\"\nclient_secret = \"{}\"\n\
             [source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"commerce.db\"\n\
             [websites.base]\ndatastream_id = \"{}\"\nback_office_events = true\n\
             [websites.off]\nback_office_events = false\n\
             [store]\npath = \"orderfeed.db\"\n",
            self.token_url, self.secret, self.datastream
        )
        .unwrap();
        std::fs::write(dir.join("orderfeed.toml"), text).unwrap();
    }

    /// Runs the command and returns its exit code and output.
    async fn tested(&self, args: &[&str]) -> (i32, String) {
        self.tested_with(&[], args).await
    }

    /// Runs the command with these variables of the environment.
    async fn tested_with(&self, variables: &[(&str, &str)], args: &[&str]) -> (i32, String) {
        let dir = tempfile::tempdir().unwrap();
        self.write(dir.path());
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderfeed"));
        command
            .env_clear()
            .env("ORDERFEED_CONFIG", dir.path().join("orderfeed.toml"))
            .envs(variables.iter().copied());
        let output = command.arg("test-connection").args(args).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        for secret in [self.secret, "Bearer", "s3cr3t-of-the-proxy"] {
            assert!(!text.contains(secret), "{text}");
        }
        (output.status.code().unwrap(), text)
    }

    async fn says(&self, code: i32, words: &[&str]) {
        let (ended, text) = self.tested(&[]).await;
        assert_eq!(ended, code, "{text}");
        for words in words {
            assert!(text.contains(words), "{words:?} is missing:\n{text}");
        }
    }
}

async fn edge() -> EmulatorHandle {
    Emulator::start(EmulatorConfig::default()).await.unwrap()
}

fn script(emulator: &EmulatorHandle, mut step: Value) {
    step["match"] = json!({ "path": "/ee/v2/collect" });
    emulator.script_json(json!([step])).unwrap();
}

#[tokio::test]
async fn a_working_connection_is_ok_and_nothing_is_ingested() {
    let emulator = edge().await;
    let written = Written::for_edge(&emulator);
    written
        .says(
            0,
            &[
                "Verdict: OK",
                "issued one for client",
                "EXEG-0103-400 for a request without events",
                "namespace commerceOrder",
                "Website off",
                "nothing is sent",
            ],
        )
        .await;
    assert_eq!(emulator.unique_ids(), 0);
    let (code, text) = written.tested(&["--website", "base", "--json"]).await;
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["verdict"]), (0, &json!("ok")));
    assert_eq!(report["websites"][0]["checks"][1]["status"], 400);
    assert!(report["websites"][0]["checks"][1]["request_id"].is_string());
    let (code, text) = written.tested(&["--website", "nowhere"]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("base, off"), "{text}");
}

#[tokio::test]
async fn a_datastream_that_is_wrong_or_disabled_is_named_with_its_key() {
    let emulator = edge().await;
    let wrong = Written {
        datastream: OTHER_DATASTREAM,
        ..Written::for_edge(&emulator)
    };
    let key = "check websites.base.datastream_id";
    wrong
        .says(1, &["EXEG-0003-400", key, "Verdict: FAILED", "request "])
        .await;
    let disabled = DatastreamConfig {
        enabled: false,
        ..DatastreamConfig::default()
    };
    emulator.add_datastream(OTHER_DATASTREAM, disabled);
    wrong.says(1, &["EXEG-0004-422", key]).await;
}

#[tokio::test]
async fn wrong_credentials_are_distinguished() {
    let emulator = edge().await;
    let secret = Written {
        secret: "not-the-secret-of-anybody",
        ..Written::for_edge(&emulator)
    };
    secret
        .says(
            1,
            &[
                "token                  FAILED",
                "check edge.oauth",
                "a check above failed",
            ],
        )
        .await;
    let organization = Written {
        organization: "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg",
        ..Written::for_edge(&emulator)
    };
    organization
        .says(1, &["EXEG-0504-401", "check services_connector.organization_id"])
        .await;
}

#[tokio::test]
async fn an_edge_that_is_down_or_failing_is_unreachable() {
    let emulator = edge().await;
    // The discard port of this machine has no listener.
    let down = Written {
        edge: "http://127.0.0.1:9".to_owned(),
        ..Written::for_edge(&emulator)
    };
    down.says(
        69,
        &[
            "edge address           UNREACHABLE",
            "check edge.url",
            "a check above failed",
        ],
    )
    .await;
    let ill = Written::for_edge(&emulator);
    script(&emulator, json!({ "status": 500, "code": "0001" }));
    ill.says(69, &["HTTP 500", "EXEG-0001-500", "Verdict: UNREACHABLE"])
        .await;
    script(&emulator, json!({ "close": "before_read" }));
    ill.says(69, &["no answer from the edge", "check edge.url"]).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let emulator = edge().await;
    let to = format!("{}/ee/v2/collect", emulator.edge_url());
    script(&emulator, json!({ "redirect": 308, "to": to }));
    Written::for_edge(&emulator)
        .says(1, &["the edge redirects", "set edge.url to the new address"])
        .await;
    let requests = emulator.requests();
    let asked = requests
        .iter()
        .filter(|request| request.path.ends_with("/collect"))
        .count();
    assert_eq!(asked, 1, "{requests:?}");
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_used_and_its_errors_are_named() {
    let https = EmulatorConfig {
        tls: true,
        ..EmulatorConfig::default()
    };
    let emulator = Emulator::start(https).await.unwrap();
    let direct = Written::for_edge(&emulator);
    // A name without an address: only the proxy can reach it.
    let named = |url: &str| url.replace("127.0.0.1", "edge.test");
    let behind = Written {
        edge: named(&direct.edge),
        token_url: named(&direct.token_url),
        ..direct
    };
    let target = emulator.server_url().rsplit('/').next().unwrap().parse().unwrap();
    let proxy = ConnectProxy::start(target, ProxyMode::Login).await;
    let (right, wrong) = (
        format!("http://{LOGIN}@{}", proxy.address),
        format!("http://feed:s3cr3t-of-the-proxy-before@{}", proxy.address),
    );
    let (code, text) = behind.tested_with(&[("HTTPS_PROXY", &right)], &[]).await;
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains(&format!("the proxy {} accepts connections", proxy.address)),
        "{text}"
    );
    let (code, text) = behind.tested_with(&[("HTTPS_PROXY", &wrong)], &[]).await;
    assert_eq!(code, 1, "{text}");
    let named = format!("the proxy {} refuses the login (407)", proxy.address);
    assert!(
        text.contains(&named) && text.contains("check user and password in edge.proxy"),
        "{text}"
    );
    let refusing = ConnectProxy::start(target, ProxyMode::Refuse).await;
    let url = format!("http://{}", refusing.address);
    let (code, text) = behind.tested_with(&[("https_proxy", &url)], &[]).await;
    assert_eq!(code, 69, "{text}");
    assert!(text.contains("refuses to connect to edge.test"), "{text}");
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused() {
    let https = || EmulatorConfig {
        tls: true,
        ..EmulatorConfig::default()
    };
    let emulator = Emulator::start(https()).await.unwrap();
    Written::for_edge(&emulator).says(0, &["Verdict: OK"]).await;
    let stranger = Emulator::start(https()).await.unwrap();
    let token = Written {
        ca: stranger.ca_pem().map(str::to_owned),
        ..Written::for_edge(&emulator)
    };
    token
        .says(
            1,
            &["the token service's certificate is not trusted", "edge.ca_file"],
        )
        .await;
    let edge = Written {
        auth: "none",
        edge: emulator.edge_url(),
        ..token
    };
    edge.says(1, &["the edge's certificate is not trusted", "edge.ca_file"])
        .await;
}
