//! Errors of the source name a remedy, and a server is used again after an outage.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use orderfeed::commerce::mysql::MysqlSource;
use orderfeed::commerce::source::{Source, SourceError};
use orderfeed::config::{CaptureMode, HumanDuration, MysqlConfig};
use orderfeed_demo_shop::shop::ShopOptions;

use super::{Reader, at, ids, notes, read, settings, source, span};
use crate::support::database::PASSWORD;
use crate::support::on_each_server;
use crate::support::product::Product;
use crate::support::server::Server;

on_each_server! {
    an_account_that_may_only_read_suffices_for_polling,
    the_documented_grants_are_those_that_are_needed,
    errors_are_reported_with_their_remedy,
    a_server_that_was_killed_is_used_again_when_it_is_back,
    refused_logins_name_the_reason,
    an_account_with_few_connections_is_read_over_those,
    binary_logging_is_checked_before_triggers_are_installed,
}

/// Returns the error of a source with these settings, which an administrator must fix.
pub(super) async fn refusal(settings: MysqlConfig) -> String {
    match MysqlSource::new(settings).unwrap().describe().await {
        Err(error @ SourceError::Misconfigured { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn an_account_that_may_only_read_suffices_for_polling(server: &Server) {
    let database = server.database().await;
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

async fn the_documented_grants_are_those_that_are_needed(server: &Server) {
    let database = server.database().await;
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
    // Without the rights of one table and of the log: everything that lacks is named, and nothing created.
    let (later, first): (Vec<String>, Vec<String>) = grants
        .into_iter()
        .partition(|grant| grant.contains("`sales_invoice`") || grant.contains("`orderfeed_log`"));
    for grant in first {
        database.execute(&grant).await;
    }
    let select = format!(
        "GRANT SELECT ON {}.sales_invoice TO '{installer}'@'%'",
        database.name()
    );
    database.execute(&select).await;
    let refused = with(&installer).install_triggers().await.unwrap_err().to_string();
    assert!(refused.contains("nothing was created"), "{refused}");
    for grant in later {
        assert!(refused.contains(&grant), "{grant} {refused}");
        database.execute(&grant).await;
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

async fn errors_are_reported_with_their_remedy(server: &Server) {
    let database = server.database().await;
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

async fn a_server_that_was_killed_is_used_again_when_it_is_back(shared: &Server) {
    let server = Server::start_with(shared.product(), &[]);
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

async fn refused_logins_name_the_reason(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(1)).await;
    for (change, remedy) in [
        ("ACCOUNT LOCK", "ACCOUNT UNLOCK"),
        ("PASSWORD EXPIRE", "PASSWORD EXPIRE NEVER"),
    ] {
        let user = database.read_only_account().await;
        database
            .execute(&format!("ALTER USER '{user}'@'%' {change}"))
            .await;
        let text = refusal(settings(&database, &user)).await;
        assert!(
            text.contains(remedy) && !text.contains("check the user"),
            "{change}: {text}"
        );
    }
    let user = database.read_only_account().await;
    let without_password = MysqlConfig {
        password: None,
        ..settings(&database, &user)
    };
    let text = refusal(without_password).await;
    assert!(text.contains("the login was without a password"), "{text}");
    let socket = match server.product() {
        Product::MariaDb => "IDENTIFIED VIA unix_socket",
        Product::MySql => {
            let mut conn = database.conn().await;
            // Installed already by another run of this test on the shared server.
            let _ = conn
                .query_drop("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
                .await;
            "IDENTIFIED WITH auth_socket"
        }
    };
    let user = format!("so_{}", database.name());
    database
        .execute(&format!("CREATE USER '{user}'@'%' {socket}"))
        .await;
    let text = refusal(settings(&database, &user)).await;
    assert!(
        text.contains("socket") && !text.contains("check the user"),
        "{text}"
    );
}

async fn an_account_with_few_connections_is_read_over_those(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(120)).await;
    let user = database.read_only_account().await;
    for allowed in [2, 1] {
        let limit = format!("ALTER USER '{user}'@'%' WITH MAX_USER_CONNECTIONS {allowed}");
        database.execute(&limit).await;
        let source = MysqlSource::new(settings(&database, &user)).unwrap();
        let ids = ids(&source).await;
        let cursors = source.initial_cursors().await.unwrap();
        for _ in 0..3 {
            let (history, changes, some) = tokio::try_join!(
                source.read_history(&ids),
                source.changes(&cursors, 1_000),
                source.read_orders(&ids[..10])
            )
            .unwrap();
            assert_eq!((history.len(), some.len()), (120, 10), "{allowed} {changes:?}");
        }
    }
    // Another client of the same account holds the only connection.
    let url = database.url(&user).replace('@', &format!(":{PASSWORD}@"));
    let holder = connect_once_free(&url).await;
    let impatient = MysqlConfig {
        connect_timeout: HumanDuration::from_millis(300),
        ..settings(&database, &user)
    };
    let text = refusal(impatient).await;
    assert!(
        text.contains("lower source.mysql.max_connections (now 4)"),
        "{text}"
    );
    holder.disconnect().await.unwrap();
}

/// Connects as soon as the server has noticed that the earlier connections of the account ended.
async fn connect_once_free(url: &str) -> mysql_async::Conn {
    let give_up = Instant::now() + Duration::from_secs(30);
    loop {
        match mysql_async::Conn::from_url(url).await {
            Ok(conn) => return conn,
            Err(mysql_async::Error::Server(e)) if e.code == 1226 && Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(e) => panic!("{e}"),
        }
    }
}

async fn binary_logging_is_checked_before_triggers_are_installed(shared: &Server) {
    let options = ["--log-bin=changes", "--server-id=1"].map(str::to_owned);
    let server = Server::start_with(shared.product(), &options);
    let database = server.database().await;
    let trusted = async |value: u8| {
        let set = format!("SET GLOBAL log_bin_trust_function_creators = {value}");
        database.execute(&set).await;
    };
    trusted(0).await;
    let installer = database.trigger_account("orderfeed_log").await;
    let source = MysqlSource::new(MysqlConfig {
        capture: CaptureMode::Triggers,
        ..settings(&database, &installer)
    })
    .unwrap();
    let refused = source.install_triggers().await.unwrap_err().to_string();
    assert!(
        refused.contains("log_bin_trust_function_creators = 1") && refused.contains("nothing was created"),
        "{refused}"
    );
    assert!(!source.check_triggers().await.unwrap().log_exists);
    trusted(1).await;
    assert_eq!(source.install_triggers().await.unwrap().len(), 18 * 3);
}
