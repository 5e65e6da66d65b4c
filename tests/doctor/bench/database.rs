//! Faults of a MariaDB.

use mysql_async::prelude::Queryable;

use super::{Fault, is_well};
use crate::doctor::source;
use crate::support::daemon::{Daemon, Installation, eventually};
use crate::support::database::Database;
use crate::support::edge;
use orderfeed_emulator::EmulatorHandle;

/// Creates a shop, a reading account, and an installation that delivers to an edge.
async fn shop() -> (EmulatorHandle, Database, String, Installation) {
    let edge = edge::start().await;
    let database = source::shop(5).await;
    let user = database.read_only_account().await;
    let installation = source::installed_for(&edge.server_url(), &database, &user, "");
    (edge, database, user, installation)
}

/// Starts the daemon, and waits until it has delivered the history.
fn started(installation: &Installation) -> Daemon {
    let daemon = installation.start();
    eventually("the history is delivered", || installation.is_settled());
    daemon
}

/// Faults of the database, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_database_is_the_first_line() {
    let (_edge, database, user, installation) = shop().await;
    let daemon = started(&installation);
    is_well(&installation);
    rows_are_gone(&installation, &database).await;
    let grant = format!(
        "GRANT SELECT ON `{}`.`sales_invoice` TO '{user}'@'%';",
        database.name()
    );
    let revoke = format!(
        "REVOKE SELECT ON {}.sales_invoice FROM '{user}'@'%'",
        database.name()
    );
    database.execute(&revoke).await;
    let granted = Fault {
        check: "source.schema sales_invoice",
        cause: &["lacks SELECT on the table sales_invoice"],
        remedy: &[&grant],
        status: &[],
    };
    granted.is_named_by(&installation);
    drop(daemon);
    let daemon = installation.start();
    let mut status = String::new();
    eventually("status prints the same statement", || {
        status = installation.run(&["status"]).stdout;
        status.lines().take(2).any(|line| line.contains(&grant))
    });
    assert!(
        status.starts_with("PROBLEM") && status.contains("the source cannot be read for "),
        "{status}"
    );
    database.execute(&grant).await;
    database
        .execute(&format!("ALTER USER '{user}'@'%' IDENTIFIED BY 'another'"))
        .await;
    refused_after_a_start(
        &installation,
        daemon,
        "Access denied",
        "source.mysql.password_file",
    );
}

/// Deletes rows that capture has read, so that it continues from a gap, until a full reindex.
async fn rows_are_gone(installation: &Installation, database: &Database) {
    database
        .execute("DELETE FROM sales_order_status_history ORDER BY entity_id DESC LIMIT 3")
        .await;
    let gap = Fault {
        check: "source.position",
        cause: &["UNKNOWN", "sales_order_status_history", "may be missing"],
        remedy: &["orderfeed indexer:reindex"],
        status: &["Warning", "sales_order_status_history", "may be missing"],
    };
    eventually("the log line", || installation.log().contains("OF03-04"));
    assert!(installation.log().contains("run `orderfeed indexer:reindex`"));
    gap.is_named_by(installation);
    installation.run(&["indexer:reindex"]).ok();
    is_well(installation);
}

/// Restarts the daemon, which the database refuses.
fn refused_after_a_start(installation: &Installation, daemon: Daemon, cause: &str, remedy: &str) {
    drop(daemon);
    let daemon = installation.start();
    let refused = Fault {
        check: "source.reachable",
        cause: &[cause],
        remedy: &[remedy],
        status: &["PROBLEM", "the source cannot be read", cause],
    };
    refused.is_named_by(installation);
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_is_the_first_line() {
    let edge = edge::start().await;
    let address = edge::free_address();
    let source =
        format!("[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"mysql://feed@{address}/shop\"\n");
    let installation = Installation::new(&edge::config(&edge.server_url(), &source));
    let daemon = installation.start();
    let refused = format!("connection refused by {address}");
    let down = Fault {
        check: "source.reachable",
        cause: &[&refused],
        remedy: &["source.mysql.url"],
        status: &["PROBLEM", "the source cannot be read", &refused],
    };
    down.is_named_by(&installation);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_locked_is_the_first_line() {
    let (_edge, database, _, installation) = shop().await;
    let daemon = started(&installation);
    let mut other = database.conn().await;
    other.query_drop("LOCK TABLES magento_rma WRITE").await.unwrap();
    let locked = Fault {
        check: "source.position",
        cause: &["magento_rma does not answer in time"],
        remedy: &["SHOW FULL PROCESSLIST"],
        status: &["magento_rma does not answer in time"],
    };
    locked.is_named_by(&installation);
    drop(other);
    is_well(&installation);
    assert_eq!(daemon.stop(), Some(0));
}

/// With exactly the documented rights the account cannot see triggers; then the answer is neither yes nor no.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_that_cannot_be_seen_are_unknown_and_missing_ones_are_the_first_line() {
    let edge = edge::start().await;
    let database = source::shop(5).await;
    let triggers = "capture = \"triggers\"\n";
    let installer = database.trigger_account("orderfeed_log").await;
    let (user, name) = (database.read_only_account().await, database.name());
    let of = |user: &str| source::installed_for(&edge.server_url(), &database, user, triggers);
    let seeing = of(&installer);
    seeing.run(&["source", "triggers", "install"]).ok();
    database
        .execute(&format!(
            "GRANT SELECT, DELETE ON {name}.orderfeed_log TO '{user}'@'%'"
        ))
        .await;
    let unseen = Fault {
        check: "source.capture",
        cause: &["UNKNOWN", "may not see triggers"],
        remedy: &["source triggers check"],
        status: &[],
    };
    let blind = of(&user);
    let daemon = started(&blind);
    unseen.is_named_by(&blind);
    assert_eq!(daemon.stop(), Some(0));
    let daemon = started(&seeing);
    database
        .execute("DROP TRIGGER trg_orderfeed_sales_order_after_update")
        .await;
    let missing = Fault {
        check: "source.capture",
        cause: &["PROBLEM", "missing: trg_orderfeed_sales_order_after_update"],
        remedy: &["source triggers install", "indexer:reindex"],
        status: &["PROBLEM", "trg_orderfeed_sales_order_after_update", "OF03-07"],
    };
    missing.is_named_by(&seeing);
    assert_eq!(daemon.stop(), Some(0));
}
