//! A shop behind a mock, and a plain HTTP client that signs its requests.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::auth::encoding::{base64, encode, hmac};
use crate::{MockCommerce, MockConfig, MockHandle};
use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_model::clock::UtcMillis;

/// A mock with its shop.
pub(super) struct Fixture {
    pub(super) mock: MockHandle,

    _directory: tempfile::TempDir,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: hyper::HeaderMap,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(super) fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().unwrap().clone()
    }

    /// Returns a column of the items.
    pub(super) fn ints(&self, name: &str) -> Vec<i64> {
        self.items()
            .iter()
            .map(|item| item[name].as_i64().unwrap())
            .collect()
    }
}

impl Fixture {
    pub(super) async fn start(orders: usize, config: MockConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("shop.db");
        let mut shop = Shop::new(ShopOptions {
            seed: 11,
            ..ShopOptions::default()
        });
        let mut embedded = EmbeddedShop::open(&file).unwrap();
        embedded.commit(&shop.open_statements()).unwrap();
        let to = UtcMillis::parse_sql("2026-11-22 07:00:00").unwrap();
        let span = Span {
            orders,
            from: to.plus_millis(-20 * 86_400_000),
            to,
        };
        for batch in history::batches(&mut shop, span) {
            embedded.commit(&batch).unwrap();
        }
        let mock = MockCommerce::start(&file, config).await.unwrap();
        Self {
            mock,
            _directory: directory,
        }
    }

    /// Sends a signed GET request for a path with query, relative to `/rest/all/V1/`.
    pub(super) async fn get(&self, path: &str) -> Reply {
        let path = format!("/rest/all/V1/{path}");
        let nonce = format!("{:032x}", fastrand::u128(..));
        let headers = [("authorization", self.signed(&path, &nonce, 0))];
        self.send("GET", &path, &headers, "").await.unwrap()
    }

    /// Returns the header of a signed request, `ahead` seconds ahead of the mock's clock.
    pub(super) fn signed(&self, path: &str, nonce: &str, ahead: i64) -> String {
        let config = self.mock.config();
        let consumer = &config.consumer;
        let timestamp = (config.clock.now().0 / 1000 + ahead).to_string();
        let (target, query) = path.split_once('?').unwrap_or((path, ""));
        let mut pairs: Vec<(String, String)> = query
            .split('&')
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let own = [
            ("oauth_consumer_key", consumer.key.as_str()),
            ("oauth_nonce", nonce),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", &timestamp),
            ("oauth_token", &consumer.token),
        ];
        pairs.extend(own.map(|(name, value)| (name.to_owned(), encode(value))));
        pairs.sort();
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let url = format!("{}{target}", self.mock.url());
        let base = format!("GET&{}&{}", encode(&url), encode(&pairs.join("&")));
        let key = format!("{}&{}", consumer.secret, consumer.token_secret);
        let signature = encode(&base64(&hmac(key.as_bytes(), base.as_bytes())));
        let own = own.map(|(name, value)| format!("{name}=\"{}\"", encode(value)));
        format!("OAuth {},oauth_signature=\"{signature}\"", own.join(","))
    }

    /// Sends a request. `None` if the connection broke before the answer was complete.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Option<Reply> {
        let address = self.mock.url().trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &address);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap();
        let response = sender.send_request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.ok()?.to_bytes();
        connection.abort();
        Some(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }
}

/// Returns the message of an error.
pub(super) fn message(reply: &Reply) -> String {
    reply.json()["message"].as_str().unwrap_or_default().to_owned()
}

/// Encodes a query: `[` and `]` in names, and blanks and colons in values.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}

/// Builds the query of filters joined by AND, in ascending order of the first field.
pub(super) fn filters(filters: &[(&str, &str, &str)], page_size: &str) -> String {
    let mut pairs = Vec::new();
    for (index, (field, condition, value)) in filters.iter().enumerate() {
        let name = |part: &str| format!("searchCriteria[filterGroups][{index}][filters][0][{part}]");
        pairs.push((name("field"), *field));
        pairs.push((name("conditionType"), *condition));
        pairs.push((name("value"), *value));
    }
    pairs.push(("searchCriteria[pageSize]".to_owned(), page_size));
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    query(&pairs)
}
