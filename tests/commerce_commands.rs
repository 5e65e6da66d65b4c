//! Commerce's commands on a running daemon: the same options, tables and messages as in Commerce.

use serde_json::Value;

use crate::support::daemon::{Ran, eventually};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

const ID: &str = "sales_order_data_exporter_v2";

/// Returns the cells of the only row of a table.
#[track_caller]
fn row(table: &str) -> Vec<String> {
    let rules = table.lines().filter(|line| line.starts_with("+-")).count();
    assert_eq!(rules, 3, "not a table with one row:\n{table}");
    let line = table.lines().nth(3).unwrap();
    line.trim_matches('|')
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

#[track_caller]
fn is_moment(text: &str) {
    assert!(
        orderfeed_model::clock::UtcMillis::parse_sql(text).is_some(),
        "{text:?} is not YYYY-MM-DD HH:MM:SS"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_commands_show_and_change_a_live_daemon() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 60);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the first sync", || fixture.is_served(&edge, expected.len()));
    let ask = |fixture: &ShopFixture, command: &str| {
        let args: Vec<&str> = command.split(' ').collect();
        fixture.installation.run(&args)
    };
    let run = |fixture: &ShopFixture, command: &str| ask(fixture, command).ok();

    assert_eq!(
        run(&fixture, "indexer:info"),
        format!("{ID:<40} Sales Orders Feed\n")
    );
    let status = row(&run(&fixture, "indexer:status"));
    assert_eq!(
        status[..5],
        [
            ID,
            "Sales Orders Feed",
            "Ready",
            "Schedule",
            "idle (0 in backlog)"
        ]
    );
    is_moment(&status[5]);
    let mview = row(&run(&fixture, &format!("indexer:status:mview {ID}")));
    assert_eq!(
        (mview[0].as_str(), mview[1].as_str(), mview[2].as_str()),
        (ID, "enabled", "idle")
    );
    is_moment(&mview[3]);
    assert_eq!(mview[5], "0");
    assert_eq!(
        run(&fixture, "indexer:show-mode"),
        format!("{:<50} Update by Schedule\n", "Sales Orders Feed:")
    );

    let changed = "Index mode for Indexer Sales Orders Feed was changed from 'Update by Schedule' to 'Update on Save'\n";
    assert_eq!(run(&fixture, "indexer:set-mode realtime"), changed);
    let unchanged = "Index mode for Indexer Sales Orders Feed has not been changed\n";
    assert_eq!(
        run(&fixture, &format!("indexer:set-mode realtime {ID}")),
        unchanged
    );
    let status = row(&run(&fixture, "indexer:status"));
    assert_eq!(status[2..4], ["Ready", "Save"]);
    fixture.place();
    let expected = fixture.expected();
    eventually("an order in realtime", || {
        fixture.is_served(&edge, expected.len())
    });
    assert!(
        run(&fixture, "indexer:set-mode schedule").contains("from 'Update on Save' to 'Update by Schedule'")
    );

    let suspended = "Index status for Indexer 'Sales Orders Feed' was changed from 'valid' to 'suspended'.\n";
    assert_eq!(
        run(&fixture, &format!("indexer:set-status suspended {ID}")),
        suspended
    );
    fixture.place();
    eventually("a change waits while the index is suspended", || {
        fixture.installation.index().is_some_and(|i| i.backlog > 0)
    });
    let status = row(&run(&fixture, "indexer:status"));
    assert_eq!(status[2], "Suspended");
    assert_eq!(status[4], "suspended (1 in backlog)");
    assert!(run(&fixture, &format!("indexer:set-status valid {ID}")).contains("from 'suspended' to 'valid'"));
    let expected = fixture.expected();
    eventually("what waited", || fixture.is_served(&edge, expected.len()));

    for command in ["indexer:reindex", "index:reindex"] {
        let output = run(&fixture, &format!("{command} {ID}"));
        let clock = output
            .trim_end()
            .strip_prefix("Sales Orders Feed index has been rebuilt successfully in ");
        assert!(
            clock.is_some_and(|clock| clock.len() == 8 && clock.starts_with("00:00:")),
            "{output}"
        );
    }
    assert_eq!(
        run(&fixture, "indexer:reset"),
        "Sales Orders Feed indexer has been invalidated.\n"
    );
    eventually("the scheduled reindex", || fixture.installation.is_settled());
    assert_eq!(row(&run(&fixture, "indexer:status"))[2], "Ready");

    let Ran { code, stderr, .. } = ask(&fixture, "indexer:reindex catalog_product_price");
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("The following requested index types are not supported: 'catalog_product_price'."),
        "{stderr}"
    );
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(edge.totals().duplicates, 0);
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedules_and_status_are_those_of_the_live_daemon() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 40);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the first sync", || fixture.is_served(&edge, expected.len()));
    let json =
        |args: &[&str]| -> Value { serde_json::from_str(&fixture.installation.run(args).ok()).unwrap() };

    let list = fixture.installation.run(&["cron", "list"]).ok();
    let jobs = [
        "indexer_update_all_views",
        "indexer_reindex_all_invalid",
        "indexer_clean_all_changelogs",
        "resend_failed_items",
        "cleanup_delivered_events",
    ];
    for job in jobs {
        assert!(list.contains(job), "{list}");
        let output = fixture.installation.run(&["cron", "run", job]).ok();
        assert!(output.starts_with(&format!("{job} ran in ")), "{output}");
    }
    let history = json(&["cron", "history", "--json"]);
    let ran: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["job"].as_str().unwrap())
        .collect();
    assert!(jobs.iter().all(|job| ran.contains(job)), "{history:#}");
    assert!(
        history
            .as_array()
            .unwrap()
            .iter()
            .all(|run| run["status"] == "success"),
        "{history:#}"
    );
    // The first sync is not a scheduled job, but a reindex after a reset is.
    fixture.installation.run(&["indexer:reset"]).ok();
    eventually("the scheduled reindex", || fixture.installation.is_settled());
    let rebuilt = json(&[
        "cron",
        "history",
        "--job",
        "indexer_reindex_all_invalid",
        "--json",
    ]);
    assert!(
        rebuilt.to_string().contains("rebuilt the index: 40 orders"),
        "{rebuilt:#}"
    );
    let unknown = fixture.installation.run(&["cron", "run", "indexer_update"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");

    let status = json(&["status", "--json"]);
    assert_eq!(status["daemon"]["pid"], daemon.pid(), "{status:#}");
    assert_eq!(status["index"]["backlog"], 0, "{status:#}");
    let delivered = |website: &Value| -> u64 {
        let kinds = website["delivered"].as_object();
        kinds
            .into_iter()
            .flatten()
            .filter_map(|(_, events)| events.as_u64())
            .sum()
    };
    let websites = status["websites"].as_array().unwrap();
    let in_all: u64 = websites.iter().map(delivered).sum();
    assert_eq!(in_all, expected.len() as u64, "{status:#}");
    assert_eq!(daemon.stop(), Some(0));
    let status = json(&["status", "--json"]);
    assert_eq!(status["daemon"]["running"], false, "{status:#}");
}
