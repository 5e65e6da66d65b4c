//! Errors of the source name a remedy, and a server is used again after an outage.

use std::time::{Duration, Instant};

use orderfeed::commerce::mysql::MysqlSource;
use orderfeed::commerce::source::{Source, SourceError};
use orderfeed::config::{CaptureMode, HumanDuration, MysqlConfig};
use orderfeed_demo_shop::shop::ShopOptions;

use super::{Reader, at, ids, notes, read, settings, source, span};
use crate::support::database::PASSWORD;
use crate::support::mariadb::Server;

async fn refusal(settings: MysqlConfig) -> String {
    match MysqlSource::new(settings).unwrap().describe().await {
        Err(error @ SourceError::Misconfigured { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_account_that_may_only_read_suffices_for_polling() {
    let database = Server::shared().database().await;
    database.load(ShopOptions::default(), span(30)).await;
    let user = database.read_only_account().await;
    let source = MysqlSource::new(settings(&database, &user)).unwrap();
    assert_eq!(notes(&source).await, Vec::<String>::new());
    assert_eq!(read(&source, &ids(&source).await).await.len(), 30);
    let mut reader = Reader::start(&source).await;
    database
        .execute("UPDATE sales_order SET status = 'x', updated_at = UTC_TIMESTAMP() WHERE entity_id = 3")
        .await;
    reader.wait_for(|change| change.order == 3).await;
}

#[tokio::test]
async fn the_documented_grants_are_those_that_are_needed() {
    let database = Server::shared().database().await;
    database.load(ShopOptions::default(), span(10)).await;
    let (daemon, installer) = (format!("d_{}", database.name()), format!("i_{}", database.name()));
    for user in [&daemon, &installer] {
        database
            .execute(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'"))
            .await;
    }
    let with = |user: &str| {
        MysqlSource::new(MysqlConfig {
            capture: CaptureMode::Triggers,
            ..settings(&database, user)
        })
        .unwrap()
    };
    let grants = orderfeed::commerce::grants::installer_grants(&installer, database.name(), "");
    let lookups = orderfeed::commerce::grants::grants(CaptureMode::Poll, &installer, database.name(), "");
    for grant in grants
        .iter()
        .chain(&lookups)
        .filter(|grant| !grant.contains("eav_") && !grant.contains("_int`"))
    {
        database.execute(grant).await;
    }
    with(&installer).install_triggers().await.unwrap();
    let grants = orderfeed::commerce::grants::grants(CaptureMode::Triggers, &daemon, database.name(), "");
    for grant in grants
        .iter()
        .filter(|grant| !grant.contains("eav_") && !grant.contains("_int`"))
    {
        database.execute(grant).await;
    }
    let source = with(&daemon);
    let notes = notes(&source).await;
    assert!(
        notes.len() == 1 && notes[0].contains("lacks TRIGGER"),
        "{notes:?}"
    );
    let mut reader = Reader::start(&source).await;
    database
        .execute("UPDATE sales_order SET status = 'x' WHERE entity_id = 3")
        .await;
    reader.wait_for(|change| change.order == 3).await;
    let refused = source.remove_triggers().await.unwrap_err().to_string();
    assert!(
        refused.contains("lacks DROP on the table orderfeed_log"),
        "{refused}"
    );
}

#[tokio::test]
async fn errors_are_reported_with_their_remedy() {
    let database = Server::shared().database().await;
    let user = database.read_only_account().await;
    let wrong = MysqlConfig {
        password: Some("nonsense".to_owned().into()),
        ..settings(&database, &user)
    };
    let text = refusal(wrong).await;
    assert!(
        text.contains("1045") && text.contains("source.mysql.password_file") && !text.contains("nonsense"),
        "{text}"
    );
    let url = database.url("admin").replace(database.name(), "elsewhere");
    let text = refusal(MysqlConfig {
        url: url.parse().unwrap(),
        ..settings(&database, "admin")
    })
    .await;
    assert!(
        text.contains("1049") && text.contains("source.mysql.url"),
        "{text}"
    );
    let text = refusal(MysqlConfig {
        table_prefix: "mg_".parse().unwrap(),
        ..settings(&database, "admin")
    })
    .await;
    assert!(text.contains("source.mysql.table_prefix (now \"mg_\")"), "{text}");
    database
        .execute(&format!(
            "REVOKE SELECT ON {}.sales_invoice FROM '{user}'@'%'",
            database.name()
        ))
        .await;
    let text = refusal(settings(&database, &user)).await;
    assert!(
        text.contains("lacks SELECT on the table sales_invoice") && text.contains("GRANT SELECT ON"),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let server = Server::start();
    let database = server.database().await;
    // The fixture trades durability for speed, but here the shop's commits must survive.
    database
        .execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        .await;
    database.load(ShopOptions::default(), span(10)).await;
    let source = source(&database, CaptureMode::Poll);
    let mut reader = Reader::start(&source).await;
    server.kill();
    for _ in 0..3 {
        let started = Instant::now();
        let error = source.changes(&reader.cursors, 9).await.unwrap_err();
        assert!(matches!(error, SourceError::Unavailable { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
        assert!(matches!(
            source.read_orders(&[1]).await,
            Err(SourceError::Unavailable { .. })
        ));
    }
    server.start_again();
    assert_eq!(read(&source, &[1]).await.len(), 1);
    reader.take().await;
    database
        .execute("UPDATE sales_order SET status = 'x', updated_at = UTC_TIMESTAMP() WHERE entity_id = 3")
        .await;
    reader.wait_for(|change| change.order == 3).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_costs_no_more_than_the_time_limit() {
    let deaf = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let settings = MysqlConfig {
        connect_timeout: HumanDuration::from_millis(200),
        ..at(format!(
            "mysql://feed@127.0.0.1:{}/shop",
            deaf.local_addr().unwrap().port()
        ))
    };
    let source = MysqlSource::new(settings).unwrap();
    for _ in 0..6 {
        let started = Instant::now();
        let error = source.describe().await.unwrap_err();
        assert!(
            error.to_string().contains("no connection within 200ms"),
            "{error}"
        );
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
