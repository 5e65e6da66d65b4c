//! A working daemon, observed from outside.

use rustix::process::Signal;

use crate::observed::{lines, promtool};
use crate::support::admin::{self, Page};
use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::golden;

const PLAIN: &str = "text/plain; version=0.0.4";

fn page(fixture: &ShopFixture, path: &str, accept: &str) -> Page {
    let socket = fixture.installation.path("admin.sock");
    let mut page = None;
    eventually("the admin endpoint answers", || {
        page = admin::get(&socket, path, accept);
        page.is_some()
    });
    page.unwrap()
}

/// Returns the sum of a metric's samples whose labels contain all of `labels`.
fn sum(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    samples
        .filter_map(|line| line.rsplit_once(' '))
        .filter(|(series, _)| series.split('{').next() == Some(name))
        .filter(|(series, _)| labels.iter().all(|label| series.contains(label)))
        .map(|(_, value)| value.parse::<f64>().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_and_export_lines_report_a_daemons_work_and_the_level_changes_while_it_runs() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 150);
    let socket = fixture.installation.path("admin.sock");
    let listen = format!("[admin]\nlisten = \"unix:{}\"\n", socket.display());
    fixture.installation.layer("admin", &listen);
    let daemon = fixture.installation.start_and_wait();
    eventually("the first sync", || {
        fixture.is_served(&edge, fixture.expected().len())
    });
    let complete = ["state=\"complete\""];
    eventually("its end is seen", || {
        let metrics = page(&fixture, "/metrics", "*/*").body;
        sum(&metrics, "orderfeed_first_sync_state", &complete) >= 2.0
    });
    for _ in 0..20 {
        fixture.act();
    }
    fixture.place();
    eventually("the changes", || {
        fixture.is_served(&edge, fixture.expected().len())
    });

    let shown = page(&fixture, "/metrics", "*/*");
    assert!(
        shown.head.contains("application/openmetrics-text"),
        "{}",
        shown.head
    );
    // The metrics reuse a snapshot of the store for a second.
    let expected = fixture.expected().len() as f64;
    let mut metrics = String::new();
    eventually("the metrics show every event", || {
        metrics = page(&fixture, "/metrics", "*/*").body;
        sum(&metrics, "orderfeed_stored_events", &["outcome=\"delivered\""]) >= expected
    });
    let total = |name: &str, labels: &[&str]| sum(&metrics, name, labels);
    assert_eq!(total("orderfeed_first_sync_overdue", &[]), 0.0);
    assert!(total("orderfeed_first_sync_done_orders", &[]) >= 150.0);
    assert_eq!(total("orderfeed_intake_state", &["state=\"open\""]), 1.0);
    assert!(total("orderfeed_event_latency_seconds_count", &["website="]) >= 1.0);
    assert!(total("orderfeed_request_duration_seconds_count", &[]) >= 1.0);

    let plain = page(&fixture, "/metrics", PLAIN);
    assert!(plain.head.contains(PLAIN), "{}", plain.head);
    promtool::content(&["check", "metrics"], &plain.body);

    assert_export_lines(&fixture.installation.log());

    assert!(!fixture.installation.log().contains("level=debug"));
    fixture.installation.layer("level", "[log]\nlevel = \"debug\"\n");
    daemon.signal(Signal::HUP);
    eventually("the level is in force", || {
        fixture.act();
        fixture.installation.log().contains("level=debug")
    });
    assert_eq!(daemon.stop(), Some(0));
    let reported = fixture.installation.log();
    golden::assert_holds("tests/golden/log.txt", &lines::shapes(&reported));
}

/// Asserts the fields that rules for Commerce's `saas-export.log` read, in the order of its line.
fn assert_export_lines(log: &str) {
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(" feed=orders "))
        .collect();
    let said = |operation: &str, status: &str| {
        let start = format!(" feed=orders operation=\"{operation}\" status={status}");
        let line = lines.iter().find(|line| line.contains(&start));
        let line = line.unwrap_or_else(|| panic!("no{start} in {lines:#?}"));
        let elapsed = line.split(" elapsed=\"").nth(1).unwrap();
        let number = elapsed.split(" ms\"").next().unwrap();
        assert!(number.parse::<u64>().is_ok(), "{line}");
    };
    said("full sync", "Initialize ");
    said("full sync", "Complete ");
    said("partial reindex", "\"Progress 1/1, processed ");
}
