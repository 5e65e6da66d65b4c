//! A progress bar of the first syncs at the bottom of the terminal, for `run` in the foreground.

use std::path::PathBuf;
use std::time::Duration;

use crate::first_sync::report::{SyncReport, reports};
use crate::ops::screen;
use crate::ops::sentence::human_duration;
use crate::store::StoreView;
use crate::store::first_sync::SyncState;
use orderfeed_model::clock::Clock;

const DRAW_EVERY: Duration = Duration::from_millis(500);
/// Pause between two reads while no first sync runs. One starts soon after the first start, or after a reload.
const POLL_EVERY: Duration = Duration::from_secs(1);
const WIDTH: usize = 20;

/// Draws the bar until it is dropped.
pub(super) async fn follow(store: PathBuf, clock: Clock) {
    loop {
        let (path, now) = (store.clone(), clock.now());
        let read = move || StoreView::open(&path)?.read(|reader| reports(reader, now));
        // An error means that the daemon has not created the store yet.
        let syncs = tokio::task::spawn_blocking(read).await.ok().and_then(Result::ok);
        let text = bar(&syncs.unwrap_or_default());
        screen::set_bar(text.as_deref().unwrap_or_default());
        tokio::time::sleep(if text.is_some() { DRAW_EVERY } else { POLL_EVERY }).await;
    }
}

/// Formats all running first syncs as one line. Returns `None` if none runs.
fn bar(syncs: &[SyncReport]) -> Option<String> {
    let open: Vec<&SyncReport> = syncs
        .iter()
        .filter(|sync| sync.state != SyncState::Complete && sync.interrupted_at.is_none())
        .collect();
    let name = match open[..] {
        [] => return None,
        [only] => only.website.clone(),
        _ => format!("of {} websites", open.len()),
    };
    let sum = |count: fn(&SyncReport) -> u64| open.iter().map(|sync| count(sync)).sum::<u64>();
    let (done, total) = (sum(|sync| sync.done_orders), sum(|sync| sync.total_orders));
    let (sent, events) = (sum(|sync| sync.sent_events), sum(|sync| sync.events));
    let part = |part: u64, whole: u64| match whole {
        0 => 0.0,
        whole => part.min(whole) as f64 / whole as f64,
    };
    // Events are sent while orders are indexed, so both shares count: the bar is full when both are complete.
    let filled = (part(done, total) * part(sent, events) * WIDTH as f64) as usize;
    let (hashes, rest) = ("#".repeat(filled), " ".repeat(WIDTH - filled));
    // The slowest one determines the end.
    let left = open.iter().filter_map(|sync| sync.eta_ms).max();
    let left = left.map_or_else(String::new, |left| format!(", {} left", human_duration(left)));
    Some(format!(
        "First sync {name} [{hashes}{rest}] {done}/{total} orders, {sent}/{events} events sent{left}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orderfeed_model::clock::{Moment, UtcMillis};

    fn sync(website: &str, state: SyncState) -> SyncReport {
        SyncReport {
            website: website.to_owned(),
            state,
            started_at: Moment(UtcMillis(0)),
            deadline: Moment(UtcMillis(300_000)),
            completed_at: None,
            total_orders: 1000,
            done_orders: 500,
            events: 2000,
            sent_events: 1600,
            eta_ms: Some(30_000),
            missed: false,
            limited_by: None,
            interrupted_at: None,
        }
    }

    #[test]
    fn all_running_first_syncs_are_one_line() {
        let done = sync("done", SyncState::Complete);
        assert_eq!(bar(&[]), None);
        assert_eq!(bar(std::slice::from_ref(&done)), None);
        let one = [done, sync("base", SyncState::Reindexing)];
        assert_eq!(
            bar(&one).unwrap(),
            "First sync base [########            ] 500/1000 orders, 1600/2000 events sent, 30s left"
        );
        let two = [one[1].clone(), sync("eu", SyncState::Sending)];
        let text = bar(&two).unwrap();
        assert!(
            text.starts_with("First sync of 2 websites [") && text.contains(" 1000/2000 orders"),
            "{text}"
        );
    }
}
