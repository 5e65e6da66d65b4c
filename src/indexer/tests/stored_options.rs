//! Backfills whose stored options cannot be parsed: their range is not known, so they must not run.

use super::*;
use crate::store::backfill::BackfillId;

const NEWER_VERSION: &str = r#"{"created_from":500000,"reach":"moon"}"#;

/// Creates a backfill as another version of the program may have left it.
async fn interrupted(rig: &Rig, kind: BackfillKind, options: &'static str) -> BackfillId {
    let start = move |w: &mut crate::store::Writer<'_>| w.start_backfill(kind, options, 4, NOW);
    rig.store.write(Durability::Durable, start).await.unwrap()
}

fn of_base() -> BackfillOptions {
    BackfillOptions {
        website: Some("base".to_owned()),
        ..BackfillOptions::default()
    }
}

/// Asserts that a backfill was refused with the id of the interrupted one and a remedy, and that it read nothing.
fn assert_refused(rig: &Rig, result: Result<BackfillReport, IndexError>, id: BackfillId, remedy: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, IndexError::BackfillOptions { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("backfill {id} ")) && text.contains(remedy),
        "{text}"
    );
    assert_eq!(rig.source.read.load(Ordering::SeqCst), 0, "orders were read");
}

#[tokio::test]
async fn a_reindex_is_refused_with_its_id_until_it_is_cancelled() {
    let rig = rig(4).await;
    let id = interrupted(&rig, BackfillKind::Reindex, NEWER_VERSION).await;
    for _ in 0..2 {
        let result = rig.reindex(BackfillOptions::default()).await;
        assert_refused(&rig, result, id, "orderfeed indexer:reset");
    }
    let cancel = |w: &mut crate::store::Writer<'_>| cancel_reindexes(w, NOW);
    rig.store.write(Durability::Durable, cancel).await.unwrap();
    rig.reindex(BackfillOptions::default()).await.unwrap();
    assert_eq!(rig.events(1).await, 1);
}

#[tokio::test]
async fn a_resync_is_refused_with_its_id_until_it_is_cancelled() {
    let rig = rig(4).await;
    let id = interrupted(&rig, BackfillKind::Resync, "not JSON").await;
    let resync = || rig.indexer.resync(BackfillOptions::default(), || false, |_| {});
    assert_refused(&rig, resync().await, id, "orderfeed saas:resync");
    rig.indexer.cancel_backfills(BackfillKind::Resync).await.unwrap();
    assert_eq!(resync().await.unwrap().indexed.orders, 4);
}

#[tokio::test]
async fn a_first_sync_is_refused_until_a_reset_cancels_the_unreadable_one_alone() {
    let rig = rig(4).await;
    let id = interrupted(&rig, BackfillKind::FirstSync, NEWER_VERSION).await;
    let other = interrupted(&rig, BackfillKind::FirstSync, r#"{"website":"other"}"#).await;
    let sync = || rig.indexer.first_sync(of_base(), || false);
    assert_refused(&rig, sync().await, id, "orderfeed indexer:reset");
    let cancel = |w: &mut crate::store::Writer<'_>| cancel_reindexes(w, NOW);
    rig.store.write(Durability::Durable, cancel).await.unwrap();
    assert_eq!(sync().await.unwrap().indexed.orders, 4);
    let running = rig.store.read(|r| r.running_backfills()).await.unwrap();
    assert_eq!(running.iter().map(|one| one.id).collect::<Vec<_>>(), [other]);
}

#[tokio::test]
async fn a_first_sync_resumes_beside_one_that_is_unreadable() {
    let rig = rig(4).await;
    interrupted(&rig, BackfillKind::FirstSync, NEWER_VERSION).await;
    interrupted(&rig, BackfillKind::FirstSync, r#"{"website":"base"}"#).await;
    let report = rig.indexer.first_sync(of_base(), || false).await.unwrap();
    assert_eq!(report.indexed.orders, 4);
}
