//! No answer because there is no connection: nothing listens, or the peer's certificate is not trusted.

use std::net::SocketAddr;

use orderfeed::store::outbox::{AttemptRecord, EventState, SenderState};
use orderfeed_emulator::{Emulator, EmulatorConfig, EmulatorHandle, RequestRow};
use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// A reserved port that refuses connections until it is opened.
struct ReservedPort {
    socket: TcpSocket,
    address: SocketAddr,
}

impl ReservedPort {
    fn reserve() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forwards connections to `edge` from now on.
    fn open(self, edge: &EmulatorHandle) {
        let server: SocketAddr = edge.server_url().trim_start_matches("http://").parse().unwrap();
        let listener = self.socket.listen(64).unwrap();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
    }
}

fn states(fixture: &ShopFixture, order: i64) -> Vec<EventState> {
    let known = fixture.installation.read_store(|reader| reader.events_of(order));
    known
        .unwrap_or_default()
        .iter()
        .map(|event| event.state)
        .collect()
}

fn is_delivered(fixture: &ShopFixture, order: i64) -> bool {
    let states = states(fixture, order);
    !states.is_empty() && states.iter().all(|state| *state == EventState::Delivered)
}

/// Returns the recorded attempts to send an order's events, which share every request.
fn attempts(fixture: &ShopFixture, order: i64) -> Vec<AttemptRecord> {
    let attempts = fixture
        .installation
        .read_store(|reader| match reader.events_of(order)?.first() {
            Some(event) => reader.attempts_of(event.batch),
            None => Ok(Vec::new()),
        });
    attempts.unwrap_or_default()
}

fn collected(edge: &EmulatorHandle) -> Vec<RequestRow> {
    let mut rows = edge.requests();
    rows.retain(|row| row.path.ends_with("/collect"));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_connections_are_retried_for_the_token_and_for_the_events() {
    let edge = edge::start().await;
    let (to_edge, to_tokens) = (ReservedPort::reserve(), ReservedPort::reserve());
    let mut fixture = ShopFixture::new(&to_edge.url(), 0);
    let lines = format!(
        "[edge.oauth]\ntoken_url = \"{}/ims/token/v3\"\n[index]\nmode = \"realtime\"\n",
        to_tokens.url()
    );
    fixture.installation.layer("lines", &lines);
    let daemon = fixture.installation.start();
    let order = fixture.place();
    eventually("the first line about it", || {
        fixture.installation.log().contains("code=ims_network")
    });
    assert_eq!(attempts(&fixture, order), [], "nothing is tried without a token");
    to_tokens.open(&edge);
    let codes = |order| -> Vec<_> {
        let attempts = attempts(&fixture, order).into_iter();
        attempts.map(|attempt| (attempt.status, attempt.code)).collect()
    };
    let refused = (None, Some("connect".to_owned()));
    eventually("a refusal on record", || codes(order).contains(&refused));
    assert!(states(&fixture, order).contains(&EventState::Pending));
    assert_eq!((edge.totals().tokens_issued, collected(&edge)), (1, vec![]));
    to_edge.open(&edge);
    eventually("the delivery", || is_delivered(&fixture, order));
    let mut codes = codes(order);
    assert_eq!(codes.pop(), Some((Some(202), None)));
    assert!(codes.iter().all(|code| *code == refused), "{codes:?}");
    let next = fixture.place();
    eventually("the next order", || is_delivered(&fixture, next));
    assert_eq!(daemon.stop(), Some(0));
    let rows = collected(&edge);
    assert_eq!(rows.len(), 2, "each order once: {rows:#?}");
    assert!(
        rows.iter().all(|row| row.authorized && row.status == 202),
        "{rows:#?}"
    );
    assert_eq!(edge.totals().tokens_issued, 1);
    assert_eq!(
        fixture
            .installation
            .log()
            .matches("msg=\"Delivery recovered\"")
            .count(),
        1
    );
    edge::assert_holds(&edge, &fixture.expected());
    edge::assert_promises(&edge);
}

/// Starts two edges: `plain` works, `tls` presents an untrusted certificate until it is reset. Neither accepts the
/// other's tokens, and the second edge asks for none.
async fn hosts() -> (EmulatorHandle, EmulatorHandle) {
    let tls = EmulatorConfig {
        tls: true,
        ..edge::settings()
    };
    let tls = Emulator::start(tls).await.unwrap();
    tls.script_json(json!([{"tls": "bad_cert", "times": 0}])).unwrap();
    (edge::start().await, tls)
}

fn fixture(edge: &str, tokens: &str, tls: &EmulatorHandle) -> ShopFixture {
    let fixture = ShopFixture::new(edge, 0);
    let config = format!(
        "[edge]\nca_file = \"ca.pem\"\n[edge.oauth]\ntoken_url = \"{tokens}\"\n[index]\nmode = \"realtime\"\n"
    );
    fixture.installation.layer("tls", &config);
    fixture.installation.write("ca.pem", tls.ca_pem().unwrap());
    fixture
}

/// Returns true if every website with pending events is halted because of the certificate.
fn all_halted(fixture: &ShopFixture) -> bool {
    let halted = fixture.installation.read_store(|reader| {
        let senders = reader.senders()?;
        let stands = |website| {
            let halted = (SenderState::Halted, "tls");
            senders
                .iter()
                .any(|row| row.website == website && (row.state, row.code.as_str()) == halted)
        };
        let waiting = reader.pending_by_website()?;
        Ok(!waiting.is_empty()
            && waiting
                .iter()
                .all(|(website, events)| *events == 0 || stands(*website)))
    });
    halted == Some(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_with_an_untrusted_certificate_halts_and_gets_everything_once_it_is_fixed() {
    let (plain, tls) = hosts().await;
    let mut fixture = fixture(&tls.edge_url(), &plain.ims_url(), &tls);
    let daemon = fixture.installation.start();
    let orders: Vec<i64> = (0..3).map(|_| fixture.place()).collect();
    eventually("an attempt for each, and a halt", || {
        orders.iter().any(|order| !attempts(&fixture, *order).is_empty()) && all_halted(&fixture)
    });
    for order in &orders {
        assert!(
            states(&fixture, *order)
                .iter()
                .all(|state| *state == EventState::Pending)
        );
    }
    assert_eq!(tls.requests(), [], "nothing is sent over such a connection");
    tls.reset();
    eventually("everything arrives by itself", || {
        orders.iter().all(|order| is_delivered(&fixture, *order))
    });
    let next = fixture.place();
    eventually("the next order", || is_delivered(&fixture, next));
    assert_eq!(daemon.stop(), Some(0));
    let log = fixture.installation.log();
    assert!(
        log.contains("msg=\"Delivery halted") && log.contains("code=tls"),
        "{log}"
    );
    for order in orders {
        let attempts = attempts(&fixture, order);
        let (last, refused) = attempts.split_last().unwrap();
        assert!(last.accepted, "{attempts:#?}");
        assert!(
            refused
                .iter()
                .all(|one| one.status.is_none() && one.code.as_deref() == Some("tls"))
        );
        // Probes are a second apart with this configuration, for all websites together.
        let apart = attempts
            .windows(2)
            .all(|two| two[1].at.0.millis_since(two[0].at.0) >= 999);
        assert!(apart, "{attempts:#?}");
    }
    let tokens: std::collections::HashSet<_> = collected(&tls).iter().map(|row| row.token_hash).collect();
    assert_eq!((tokens.len(), plain.totals().tokens_issued), (1, 1));
    edge::assert_holds(&tls, &fixture.expected());
    edge::assert_promises(&tls);
    assert_eq!(tls.totals().duplicates, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_service_with_an_untrusted_certificate_halts_and_no_secret_crosses_the_line() {
    let (plain, tls) = hosts().await;
    let mut fixture = fixture(&plain.edge_url(), &tls.ims_url(), &tls);
    let daemon = fixture.installation.start();
    let order = fixture.place();
    eventually("the halt", || all_halted(&fixture));
    assert_eq!(
        (
            attempts(&fixture, order),
            states(&fixture, order).contains(&EventState::Pending)
        ),
        (vec![], true)
    );
    assert_eq!((tls.requests(), collected(&plain)), (vec![], vec![]));
    tls.reset();
    eventually("the order arrives by itself", || is_delivered(&fixture, order));
    assert_eq!(daemon.stop(), Some(0));
    let log = fixture.installation.log();
    assert!(
        log.contains("the token service's certificate is not trusted"),
        "{log}"
    );
    assert_eq!(tls.totals().tokens_issued, 1);
    assert!(collected(&plain).iter().all(|row| row.authorized));
    edge::assert_holds(&plain, &fixture.expected());
    edge::assert_promises(&plain);
}
