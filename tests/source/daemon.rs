//! The daemon beside limits of the database: an account that may open one connection, and a source that cannot be read.

use std::time::Duration;

use orderfeed_demo_shop::shop::{Shop, ShopOptions};

use super::span;
use crate::support::daemon::{Installation, eventually_within};
use crate::support::database::PASSWORD;
use crate::support::on_each_server;
use crate::support::server::Server;
use crate::support::{edge, oracle};

on_each_server! {
    a_first_sync_over_one_connection_is_complete,
    a_connection_that_others_may_read_is_logged_and_shown,
}

const LIMIT: Duration = Duration::from_secs(120);

async fn a_first_sync_over_one_connection_is_complete(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(150)).await;
    let user = database.read_only_account().await;
    database
        .execute(&format!("ALTER USER '{user}'@'%' WITH MAX_USER_CONNECTIONS 1"))
        .await;
    let edge = edge::start().await;
    let source = format!(
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{}\"\npassword_file = \"password\"\npoll_interval = \"100ms\"\n",
        database.url(&user)
    );
    let installation = Installation::new(&edge::config(&edge.server_url(), &source));
    installation.write("password", PASSWORD);
    let websites = Shop::website_codes();
    let expected = oracle::expected_in_mariadb(&mut database.conn().await, "", &websites).await;
    let daemon = installation.start();
    eventually_within(LIMIT, "the first sync", || {
        edge.unique_ids() >= expected.len() && installation.is_settled()
    });
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    let log = installation.log();
    let lines = |part: &str| log.lines().filter(|line| line.contains(part)).count();
    assert_eq!((lines("OF03-06"), lines("OF03-01")), (1, 0), "{log}");
    assert_eq!(lines("The source answers"), 1, "{log}");
}

async fn a_connection_that_others_may_read_is_logged_and_shown(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(1)).await;
    let url = database.url("admin").replace("127.0.0.1", super::REMOTE);
    let source = format!(
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{url}\"\n[source.mysql.tls]\nmode = \"disabled\"\n"
    );
    let installation = Installation::new(&edge::config("http://127.0.0.1:9", &source));
    let daemon = installation.start();
    eventually_within(LIMIT, "the warning", || {
        installation.run(&["status"]).stdout.contains("OF03-08")
    });
    assert!(installation.log().contains("OF03-08"), "{}", installation.log());
    let doctor = installation.run(&["doctor"]).stdout;
    assert!(doctor.contains("cross the network in plain text"), "{doctor}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_first_sync_without_a_source_is_not_blamed_on_the_load_of_the_database() {
    let source = format!(
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"mysql://feed@{}/shop\"\n[first_sync]\nwindow = \"20s\"\n",
        edge::free_address()
    );
    let installation = Installation::new(&edge::config("http://127.0.0.1:9", &source));
    let daemon = installation.start();
    eventually_within(LIMIT, "the early warning", || {
        installation.log().contains("OF07-01")
    });
    assert_eq!(daemon.stop(), Some(0));
    let log = installation.log();
    let warning = log
        .lines()
        .find(|line| line.contains("OF07-01"))
        .unwrap_or_default();
    assert!(
        warning.contains("limited_by=source_down") && warning.contains("the source cannot be read"),
        "{warning}"
    );
}
