//! A test fixture: an emulator and a client.

use std::sync::OnceLock;

use orderfeed_emulator::{
    DEFAULT_CLIENT, DEFAULT_DATASTREAM, DEFAULT_ORG, Emulator, EmulatorConfig, EmulatorHandle,
};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

pub const HASH: &str = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514";

pub struct Fixture {
    pub emulator: EmulatorHandle,
    pub client: reqwest::Client,
}

pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Returns the `NNNN-SSS` of a problem.
    pub fn code(&self) -> String {
        self.json()["type"]
            .as_str()
            .and_then(|uri| uri.split("EXEG-").nth(1))
            .unwrap_or_default()
            .to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Fixture {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut EmulatorConfig)) -> Self {
        let mut config = EmulatorConfig {
            clock: Some("2026-11-22T07:00:00Z".into()),
            ..EmulatorConfig::default()
        };
        change(&mut config);
        let emulator = Emulator::start(config).await.unwrap();
        Self {
            emulator,
            client: client(|builder| builder),
        }
    }

    pub fn script(&self, steps: Value) {
        self.emulator.script_json(steps).unwrap();
    }

    pub fn collect_url(&self) -> String {
        format!(
            "{}/ee/v2/collect?datastreamId={DEFAULT_DATASTREAM}",
            self.emulator.server_url()
        )
    }

    /// Builds an authenticated request.
    pub fn post(&self, url: &str) -> reqwest::RequestBuilder {
        let token = self.emulator.issue_token(DEFAULT_CLIENT).unwrap();
        self.client
            .post(url)
            .header("authorization", format!("Bearer {token}"))
            .header("x-api-key", DEFAULT_CLIENT)
            .header("x-gw-ims-org-id", DEFAULT_ORG)
            .header("content-type", "application/json")
    }

    pub async fn collect(&self, body: impl Into<String>) -> Got {
        self.try_collect(body).await.unwrap()
    }

    pub async fn try_collect(&self, body: impl Into<String>) -> reqwest::Result<Got> {
        got(self.post(&self.collect_url()).body(body.into())).await
    }

    /// Posts `body` to a path of the server host.
    pub async fn server(&self, path: &str, body: impl Into<String>) -> Got {
        let url = format!("{}{path}", self.emulator.server_url());
        got(self.post(&url).body(body.into())).await.unwrap()
    }
}

pub fn client(shape: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> reqwest::Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // Another test of this process may have installed it already; the provider is the same.
        rustls::crypto::ring::default_provider().install_default().ok();
    });
    #[expect(
        clippy::disallowed_methods,
        reason = "a bare client, to see what the emulator really sends"
    )]
    let builder = reqwest::Client::builder();
    shape(
        builder
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0),
    )
    .build()
    .unwrap()
}

pub async fn got(request: reqwest::RequestBuilder) -> reqwest::Result<Got> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Got {
        status,
        headers,
        text: response.text().await?,
    })
}

pub fn event(id: &str) -> Value {
    json!({ "xdm": {
        "_id": id, "timestamp": "2026-11-22T06:00:00.000Z", "eventType": "commerce.backofficeOrderPlaced",
        "identityMap": { "Email_LC_SHA256": [{ "id": HASH, "authenticatedState": "ambiguous", "primary": true }] },
        "commerce": { "order": { "purchaseID": "000000042" } } } })
}

pub fn batch(events: &[Value]) -> String {
    json!({ "events": events }).to_string()
}

pub fn ids(names: &[&str]) -> String {
    batch(&names.iter().map(|name| event(name)).collect::<Vec<_>>())
}
