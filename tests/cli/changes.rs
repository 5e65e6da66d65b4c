//! Commands that change something: in their own process when no daemon runs, through the daemon when one does.

use std::sync::Arc;

use orderfeed::daemon::control::serve::serve;
use orderfeed::daemon::control::socket::ControlSocket;
use orderfeed::daemon::control::{JobRun, Outcome, Progress, Rebuilt, Reply, Request};
use orderfeed::daemon::requests::Requests;
use orderfeed::daemon::requests::error::RequestError;
use orderfeed::store::StoreLock;
use orderfeed_model::clock::Clock;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{CliFixture, CommandResult};

#[tokio::test]
async fn without_a_daemon_changes_happen_at_once() {
    let fixture = CliFixture::with_store().await;
    assert_eq!(
        fixture.run(&["indexer:set-mode", "realtime"]).ok(),
        "Index mode for Indexer Sales Orders Feed was changed from 'Update by Schedule' to 'Update on Save'\n"
    );
    assert_eq!(
        fixture.run(&["indexer:set-mode", "realtime"]).ok(),
        "Index mode for Indexer Sales Orders Feed has not been changed\n"
    );
    assert!(
        fixture
            .run(&["indexer:show-mode"])
            .ok()
            .ends_with(" Update on Save\n")
    );
    assert_eq!(
        fixture
            .run(&["indexer:set-status", "suspended", "sales_order_data_exporter_v2"])
            .ok(),
        "Index status for Indexer 'Sales Orders Feed' was changed from 'invalid' to 'suspended'.\n"
    );
    assert_eq!(
        fixture.run(&["indexer:reset"]).ok(),
        "Sales Orders Feed indexer has been invalidated.\n"
    );
    assert_eq!(
        fixture.run(&["delivery", "pause", "--website", "base"]).ok(),
        "Delivery of website base paused\n"
    );
    assert!(
        fixture
            .run(&["status"])
            .ok()
            .contains("orderfeed delivery resume --website base")
    );
    assert_eq!(
        fixture.run(&["failed", "discard", "--all"]).ok(),
        "1 event discarded\n"
    );
    assert_eq!(fixture.run(&["failed", "list"]).ok(), "No parked events\n");
}

#[tokio::test]
async fn options_that_contradict_each_other_are_refused_before_anything_is_sent() {
    let fixture = CliFixture::with_store().await;
    let resync = |more: &[&str]| fixture.run(&[&["saas:resync", "--feed", "orders"], more].concat());
    let message = resync(&["--by-ids", "1,2", "--from", "2026-11-01"]).failed(2);
    assert!(message.contains("--by-ids names orders one by one"), "{message}");
    let message = resync(&["--from", "yesterday"]).failed(2);
    assert!(message.contains("2026-11-22"), "{message}");
    let message = fixture.run(&["failed", "retry"]).failed(2);
    assert!(message.contains("--all"), "{message}");
    let message = resync(&["--wait"]).failed(69);
    assert!(
        message.contains("--wait") && message.contains("no daemon is running"),
        "{message}"
    );
}

#[tokio::test]
async fn a_lock_held_by_another_command_is_reported_with_its_holder() {
    let fixture = CliFixture::with_store().await;
    let _held = StoreLock::acquire(&fixture.store(), "orderfeed backup").unwrap();
    let message = fixture.run(&["indexer:reset"]).failed(75);
    let holder = format!("orderfeed backup (process {})", std::process::id());
    assert!(message.contains(&holder), "{message}");
}

/// Handles the requests that need a source with made-up results, and the others on the store.
async fn handle(
    requests: Arc<Requests>,
    request: Request,
    replies: mpsc::Sender<Reply>,
) -> anyhow::Result<Outcome> {
    match request {
        Request::Reindex(_) => {
            let progress = Progress {
                done: 50,
                total: 200,
                events: 12,
            };
            replies.send(Reply::Progress(progress)).await?;
            Ok(Outcome::Reindexed(Rebuilt {
                orders: 200,
                events: 12,
                failures: 1,
                duration_ms: 12_345,
            }))
        }
        Request::Resync(_) => {
            let holder = "full sync(1234)".to_owned();
            Err(RequestError::Locked { holder }.into())
        }
        Request::CronRun { job } => Ok(Outcome::JobRan(JobRun {
            job,
            message: String::new(),
            duration_ms: 3,
        })),
        other => requests.handle(&other, replies).await,
    }
}

/// Runs commands one after the other while a daemon serves the store.
async fn beside_a_daemon(
    fixture: CliFixture,
    commands: &'static [&'static [&'static str]],
) -> Vec<CommandResult> {
    let lock = StoreLock::acquire(&fixture.store(), "orderfeed run").unwrap();
    let store = fixture.open().await;
    let socket = ControlSocket::listen(&fixture.store(), &lock).unwrap();
    let (_, config) = watch::channel(Arc::default());
    let requests = Arc::new(Requests::without_source(store, Clock::System, config));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(
        socket,
        move |request, replies| handle(requests.clone(), request, replies),
        orderfeed::cli::exit::code_of,
        stop.clone(),
    ));
    let running = move || commands.iter().map(|args| fixture.run(args)).collect();
    let ran = tokio::task::spawn_blocking(running).await.unwrap();
    stop.cancel();
    serving.await.unwrap();
    ran
}

#[tokio::test]
async fn a_running_daemon_handles_the_requests() {
    let ran = beside_a_daemon(
        CliFixture::new(),
        &[
            &["indexer:set-mode", "realtime"],
            &["index:reindex"],
            &["cron", "run", "resend_failed_items"],
            &["failed", "retry", "7:placed:7"],
            &["failed", "retry", "7:placed:7"],
            &["delivery", "pause", "--website", "basic"],
            &["saas:resync", "--feed", "orders"],
        ],
    )
    .await;
    let [mode, reindex, job, retry, again, pause, resync] = <[CommandResult; 7]>::try_from(ran).unwrap();
    assert!(mode.ok().contains("to 'Update on Save'"));
    assert!(
        reindex.stderr.contains("50/200 (25 %) orders, 12 events"),
        "{reindex:?}"
    );
    assert!(
        reindex.stderr.contains("1 orders could not be indexed"),
        "{reindex:?}"
    );
    assert_eq!(
        reindex.ok(),
        "Sales Orders Feed index has been rebuilt successfully in 00:00:12\n"
    );
    assert_eq!(job.ok(), "resend_failed_items ran in 3ms: nothing to do\n");
    assert_eq!(retry.ok(), "1 event sent again\n");
    // It could not be rendered, so it stays parked until the indexer has read the order again.
    assert_eq!(again.ok(), "1 event sent again\n");
    assert!(pause.failed(2).contains("known: base"));
    let locked = resync.failed(75);
    assert!(
        locked.contains("operation skipped - process locked by \"full sync(1234)\""),
        "{locked}"
    );
}
