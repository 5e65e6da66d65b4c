//! Access to the pages: hosts, origins, headers, slow clients, and what a reader without a login cannot do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use orderfeed::store::outbox::ParkedFilter;
use orderfeed_events::{EventKind, event_id};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;

use crate::support::daemon::{eventually, say};
use crate::support::{edge, leaks};
use crate::web::client::{Client, Endpoint};
use crate::web::fixture::{Listen, PASSWORD, Site};

/// Files that the tests of this process open beside the slow clients.
const OWN_FILES: u64 = 500;
/// Threads that open connections.
const CONNECTORS: u64 = 16;
/// Every action, with fields that would be accepted.
const ACTIONS: [(&str, &[(&str, &str)]); 15] = [
    ("index-mode", &[("mode", "realtime")]),
    ("index-invalidate", &[("confirm", "yes")]),
    ("index-reindex", &[("confirm", "yes")]),
    ("index-suspend", &[]),
    ("index-resume", &[]),
    ("job-run", &[("job", "verify_source")]),
    ("delivery-pause", &[]),
    ("delivery-resume", &[]),
    ("failed-retry", &[("confirm", "yes"), ("website", "")]),
    (
        "failed-discard",
        &[("confirm", "yes"), ("code", ""), ("reason", "a test")],
    ),
    ("order-resend", &[("confirm", "yes"), ("number", "000000001")]),
    ("history-start", &[("confirm", "yes"), ("from", "2020-01-01")]),
    ("history-stop", &[]),
    ("test-connection", &[]),
    (
        "settings-save",
        &[("scope", "base"), ("storefront_events", "false")],
    ),
];

/// Headers of every page.
const HEADERS: [(&str, &str); 4] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_nothing_can_be_done_over_tcp() {
    let site = Site::start(Listen::Tcp, 3).await;
    site.settle();
    let before = site.shop.installation.run(&["indexer:status"]).ok();
    for client in [site.browser(), site.program()] {
        for (name, fields) in ACTIONS {
            let answer = client.post(&format!("/actions/{name}"), fields);
            assert_eq!(answer.status, 403, "{name}: {answer:?}");
            assert!(answer.body.contains("A login is needed"), "{name}: {answer:?}");
        }
        let number = "000000001";
        let order = client.get(&format!("/orders/{number}"));
        assert!([403, 404].contains(&order.status), "{order:?}");
    }
    assert_eq!(site.shop.installation.run(&["indexer:status"]).ok(), before);
    assert!(site.sender_states().iter().all(|state| state == "running"));
    assert!(!site.shop.installation.log().contains("OF09-01"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_a_login_name_no_order_and_no_person() {
    let mut site = Site::start(Listen::Tcp, 30).await;
    site.settle();
    let order = site.shop.place();
    let refused = event_id(&edge::DATA_SPACE, EventKind::Placed, order, 0).to_string();
    let step = json!({"code": "0305-400", "times": 0, "match": {"contains_id": refused}});
    site.edge.script_json(json!([step])).unwrap();
    eventually("an event is parked", || {
        let parked = site
            .shop
            .installation
            .read_store(|reader| reader.parked(&ParkedFilter::default(), 1));
        parked.is_some_and(|parked| !parked.is_empty())
    });
    let sql = site.shop.sql();
    let mut rows = sql
        .prepare("SELECT increment_id, customer_email FROM sales_order")
        .unwrap();
    let personal: Vec<String> = rows
        .query_map([], |row| {
            Ok([row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?])
        })
        .unwrap()
        .flat_map(|row| row.unwrap().into_iter().flatten())
        .collect();
    assert!(personal.len() > 30, "{personal:?}");
    let number = &personal[0];
    let pages = [
        "/",
        "/failed",
        "/indexers",
        "/schedules",
        "/history",
        "/connector",
        "/reports",
        "/log",
        "/about",
        "/orders",
        "/login",
        &format!("/failed/{order}:placed:{order}"),
        &format!("/orders/{number}"),
        &format!("/orders?number={number}"),
    ];
    for page in pages {
        let answer = site.browser().get(page);
        assert!(
            [200, 303, 403, 404].contains(&answer.status),
            "{page}: {answer:?}"
        );
        leaks::assert_none(page, &answer.body);
        for text in &personal {
            // An answer may quote the address that was requested.
            let quoted = answer
                .body
                .replace(page, "")
                .replace(&page.replace('?', "%3F"), "");
            assert!(
                !quoted.contains(text) || page.contains(text.as_str()) && answer.status != 200,
                "{page}: {text}: {answer:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_name_cannot_read_or_change_anything() {
    for listen in [Listen::Tcp, Listen::Unix] {
        let site = Site::start_with(listen, 0, "hosts = \"orderfeed.example.com\"\n").await;
        for host in ["rebound.example:9187", "localhost.rebound.example", ""] {
            let client = site.browser().at_host(host);
            for answer in [client.get("/login"), client.post("/actions/delivery-pause", &[])] {
                assert_eq!(answer.status, 421, "{host}: {answer:?}");
                assert!(answer.body.contains("admin.hosts"), "{answer:?}");
            }
        }
        for host in [
            "localhost",
            "127.0.0.1:1234",
            "[::1]:9187",
            "Orderfeed.example.com",
        ] {
            let status = site.browser().at_host(host).get("/style.css").status;
            assert_eq!(status, 200, "{host}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_changes_nothing_even_for_an_operator() {
    let site = Site::start(Listen::Unix, 3).await;
    site.settle();
    let foreign = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://localhost:8080"),
    ];
    for (name, value) in foreign {
        let answer = site
            .program()
            .with(name, value)
            .post("/actions/delivery-pause", &[]);
        assert_eq!(answer.status, 403, "{name}: {value}: {answer:?}");
        assert!(answer.body.contains("another site"), "{answer:?}");
    }
    assert!(site.sender_states().iter().all(|state| state == "running"));
    let own = [
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "none"),
        ("Origin", "http://localhost:9187"),
        ("X-Program", "neither header"),
    ];
    for (name, value) in own {
        let answer = site
            .program()
            .with(name, value)
            .post("/actions/delivery-pause", &[("next", "/about")]);
        assert_eq!(answer.target(), "/about", "{name}: {value}");
    }
    assert!(site.sender_states().iter().all(|state| state == "paused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_at_the_unix_socket_makes_no_operators() {
    let site = Site::start(Listen::Unix, 0).await;
    for header in ["X-Forwarded-For", "Forwarded", "Via"] {
        let client = site.browser().with(header, "10.0.0.1");
        assert_eq!(
            client.post("/actions/delivery-pause", &[]).status,
            403,
            "{header}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_the_headers_that_protect_its_reader() {
    let site = Site::start(Listen::Tcp, 0).await;
    site.set_password(PASSWORD).ok();
    let reader = site.browser();
    let operator = site.browser().logged_in(PASSWORD);
    let answers = [
        reader.get("/login"),
        reader.post("/login", &[("password", "wrong")]),
        reader.post("/actions/index-reindex", &[]),
        operator.post("/actions/index-reindex", &[]),
        operator.post("/actions/unknown", &[]),
        operator.post("/actions/test-connection", &[]),
        operator.get("/style.css"),
    ];
    for answer in answers {
        for (name, value) in HEADERS {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_slow_clients_hold_up_neither_the_daemon_nor_a_reader() {
    let clients = allow_files(10_000 + OWN_FILES) - OWN_FILES;
    let site = Site::start(Listen::Tcp, 0).await;
    let Endpoint::Tcp(address) = site.endpoint.clone() else {
        panic!("another endpoint");
    };
    // Half of a header each, a body that never ends, and now and then an answer that is not read.
    let header = "GET / HTTP/1.1\r\nHost: local".to_owned();
    let body = "POST /login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\nContent-Length: 100\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\npass"
        .to_owned();
    let unread = "GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let sent = |index: u64| match index % 100 {
        0 => &unread,
        odd if odd % 2 == 1 => &header,
        _ => &body,
    };
    let begun = Instant::now();
    let connect = |index: u64| {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(sent(index).as_bytes());
        stream
    };
    // Several at once: a full queue makes a client wait for a second.
    let connect = &connect;
    let slow: Vec<TcpStream> = thread::scope(|scope| {
        let connecting: Vec<_> = (0..CONNECTORS)
            .map(|first| {
                scope.spawn(move || {
                    (first..clients)
                        .step_by(CONNECTORS as usize)
                        .map(connect)
                        .collect()
                })
            })
            .collect();
        let connected = connecting.into_iter().map(|one| one.join().unwrap());
        connected.flat_map(|streams: Vec<TcpStream>| streams).collect()
    });
    let connected = begun.elapsed();
    for path in ["/healthz", "/style.css", "/"] {
        eventually(&format!("{path} answers"), || {
            let answer = site.program().send("GET", path, None);
            answer.is_some_and(|answer| answer.status == 200)
        });
    }
    say(&format!(
        "{clients} slow clients: connected after {connected:.1?}, a reader answered {:.1?} later",
        begun.elapsed() - connected
    ));
    // Each of them was answered or disconnected, although it never sent the rest.
    for mut stream in slow {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut end = Vec::new();
        if let Err(error) = stream.read_to_end(&mut end) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
    }
    let memory = site.daemon.memory_kib("VmHWM");
    assert!(memory < 128 << 10, "{memory} KiB");
}

/// Allows this process to open so many files, or as many as its hard limit allows. Returns their number.
fn allow_files(files: u64) -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.map_or(files, |maximum| maximum.min(files));
    if limit.current.is_some_and(|current| current < allowed) {
        limit.current = Some(allowed);
        setrlimit(Resource::Nofile, limit).unwrap();
    }
    allowed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_bounded_in_size() {
    let site = Site::start(Listen::Unix, 0).await;
    let body = format!("key={}", "1".repeat(300 << 10));
    let answer = site.browser().send("POST", "/actions/failed-retry", Some(&body));
    // The connection may end before everything is sent.
    assert!(answer.is_none_or(|answer| answer.status == 413));
    let text = "POST /actions/failed-retry HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let answer = Client::program(&site.endpoint).exchange(text).unwrap();
    assert_eq!(answer.status, 415);
}
