//! Tests of first starts and of replaced schedules.

use super::*;
use crate::store::testing;

const DAY_MS: i64 = 86_400_000;
/// 2026-11-22, five in the morning.
const INSTALLED: UtcMillis = UtcMillis::from_secs(1_795_323_600);

async fn slot(store: &crate::store::Store, job: Job, loaded: UtcMillis, now: UtcMillis) -> Option<Slot> {
    let load = move |writer: &mut Writer<'_>| load_state(writer, job, loaded);
    let state = store.write(Durability::Relaxed, load).await.unwrap();
    let config = Config::default();
    due(job.schedule(&config), config.cron.time_zone, state.last, now).slot
}

#[test]
fn a_new_schedule_starts_with_its_next_slot() {
    let by = |verify: &str| {
        let mut config = Config::default();
        config.cron.verify_source = verify.parse().unwrap();
        config
    };
    // 2026-11-22: verified at two, the configuration is read again at noon.
    let hour = |hour: i64| INSTALLED.plus_millis((hour - 5) * 3_600_000);
    let found = |old, new| plan(Job::VerifySource, &by(old), &by(new), Some(hour(2)), hour(12));
    let later = found("0 2 * * *", "0 3 * * *");
    assert_eq!((later.slot, later.next), (None, Some(hour(27))));
    let often = found("0 2 * * *", "*/5 * * * *");
    assert_eq!(
        (often.slot, often.next),
        (None, Some(hour(12).plus_millis(300_000)))
    );
    let due_by_the_old_schedule = found("0 12 * * *", "0 3 * * *");
    assert_eq!(
        due_by_the_old_schedule.slot.map(|slot| slot.scheduled_for),
        Some(hour(12))
    );
}

#[tokio::test]
async fn a_first_start_fills_the_store_at_once_and_verifies_it_at_night() {
    let (_dir, store) = testing::fresh();
    for job in Job::ALL {
        let due = slot(&store, job, INSTALLED, INSTALLED).await;
        assert_eq!(due.is_some(), job.begins_at_once(), "{job:?}");
    }
    let job = Job::VerifySource;
    let restarted = INSTALLED.plus_millis(DAY_MS);
    let found = slot(&store, job, restarted, restarted).await;
    assert!(
        found.is_some_and(|slot| !slot.missed_earlier),
        "the missed night is caught up: {found:?}"
    );
    let last = store.read(move |reader| reader.last_slot(job.as_str())).await;
    assert_eq!(last.unwrap(), None, "no run is recorded");
}
