//! I10: no personal data and no secret is sent or logged.

use orderfeed_emulator::{Emulator, EmulatorConfig, FaultStep};

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Text in every free column of orders and addresses. It may not appear in any payload or log.
const MARKER: &str = "mark3r";
/// Text in the edge's refusals, as if it quoted a request. `failed show` may print it, the log may not.
const QUOTED: &str = "qu0ted";

/// Columns of the shop's tables that name, locate or quote a person.
const PERSONAL: [(&str, &[&str]); 3] = [
    (
        "sales_order",
        &[
            "customer_email",
            "customer_firstname",
            "customer_lastname",
            "customer_middlename",
            "customer_note",
            "remote_ip",
        ],
    ),
    (
        "sales_order_address",
        &[
            "email",
            "firstname",
            "lastname",
            "middlename",
            "company",
            "street",
            "city",
            "region",
            "postcode",
            "telephone",
            "fax",
            "vat_id",
        ],
    ),
    (
        "sales_order_payment",
        &["cc_last_4", "cc_owner", "additional_information"],
    ),
];

fn mark(fixture: &ShopFixture) -> usize {
    let conn = fixture.sql();
    let mut marked = 0;
    for (table, columns) in PERSONAL {
        for column in columns {
            let has = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
            if conn
                .query_row(has, [table, column], |row| row.get::<_, i64>(0))
                .unwrap()
                == 1
            {
                let value = if column.ends_with("email") {
                    "@example.com"
                } else {
                    ""
                };
                conn.execute(
                    &format!("UPDATE {table} SET {column} = '{MARKER}-{column}-' || rowid || '{value}'"),
                    [],
                )
                .unwrap();
                marked += 1;
            }
        }
    }
    marked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_payloads_nor_the_log_name_a_person_or_a_secret() {
    let address = edge::free_address();
    let mut fixture = ShopFixture::new(&format!("http://{address}"), 200);
    assert!(
        mark(&fixture) >= 12,
        "the shop has fewer personal columns than this test knows"
    );
    fixture.installation.layer("loud", "[log]\nlevel = \"trace\"\n");
    // Provokes as many log messages as possible: the edge starts late, refuses, quotes its input, and asks for new
    // tokens.
    let daemon = fixture.installation.start_and_wait();
    eventually("a complaint", || {
        fixture.installation.log().contains("Delivery to the edge failed")
    });
    let settings = EmulatorConfig {
        listen_server: address,
        keep_bodies: true,
        ..edge::settings()
    };
    let edge = Emulator::start(settings).await.unwrap();
    let quote = format!("{{\"title\":\"bad\",\"detail\":\"{QUOTED}@example.com\"}}");
    edge.script(vec![
        FaultStep {
            status: Some(400),
            body: Some(quote.clone()),
            ..FaultStep::default()
        },
        FaultStep {
            status: Some(500),
            body: Some(quote),
            ..FaultStep::default()
        },
        FaultStep {
            token_expire_now: true,
            ..FaultStep::default()
        },
        FaultStep {
            code: Some("0000-503".into()),
            ..FaultStep::default()
        },
    ])
    .unwrap();
    eventually("events arrive", || edge.unique_ids() > 50);
    for _ in 0..10 {
        fixture.act();
    }
    mark(&fixture);
    let resync = ["saas:resync", "--feed", "orders", "--force"];
    let mut said = fixture.installation.run(&resync);
    eventually("nothing is left to do", || fixture.installation.is_settled());
    for args in [
        &["status", "--json"][..],
        &["config", "show"],
        &["failed", "list"],
        &["cron", "history"],
    ] {
        let ran = fixture.installation.run(args);
        said.stdout.push_str(&ran.stdout);
        said.stderr.push_str(&ran.stderr);
    }
    assert_eq!(daemon.stop(), Some(0));

    let ids = edge.ids();
    assert!(ids.len() > 300);
    for id in &ids {
        let body = String::from_utf8(edge.body(id).unwrap().to_vec()).unwrap();
        assert!(!body.contains(MARKER), "a payload: {body}");
    }
    edge::assert_promises(&edge);
    let log = fixture.installation.log();
    assert!(!log.contains(QUOTED), "the log repeats the edge's words");
    assert!(log.lines().count() > 30);
    for (place, text) in [
        ("the log", &log),
        ("stdout", &said.stdout),
        ("stderr", &said.stderr),
    ] {
        for secret in [MARKER, edge::SECRET, "emulated-", "Bearer"] {
            let found = text.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "{place} holds {secret:?}");
        }
    }
    let store = std::fs::read(fixture.installation.path("orderfeed.db")).unwrap();
    let marked = store
        .windows(MARKER.len())
        .any(|window| window == MARKER.as_bytes());
    assert!(!marked, "the store holds personal data in plain text");
}
