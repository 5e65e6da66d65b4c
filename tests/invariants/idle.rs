//! A daemon without work costs next to nothing: queries to the shop's database, and wake-ups.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use crate::support::daemon::{Daemon, say};
use crate::support::served::Served;
use crate::support::server::Server;

/// Limits at the default interval of polls.
const QUERIES_PER_S: f64 = 6.0;
const WAKE_UPS_PER_S: f64 = 15.0;
/// Time after which everything that follows a first sync has ended.
const SETTLED: Duration = Duration::from_secs(15);
const MEASURED: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_daemon_leaves_shop_and_host_in_peace() {
    // The schedules of the default configuration.
    let cron =
        "[cron]\nindexer_update_all_views = \"*/5 * * * * *\"\nindexer_reindex_all_invalid = \"* * * * *\"\n";
    let served = Served::start_with(4_000, cron, Server::port).await;
    tokio::time::sleep(SETTLED).await;
    let daemon = &served.daemon;
    let (begun, before) = (Instant::now(), measure(&served).await);
    tokio::time::sleep(MEASURED).await;
    let after = measure(&served).await;
    let per_s = |before: u64, after: u64| (after - before) as f64 / begun.elapsed().as_secs_f64();
    // The test's own statement is one of them.
    let queries = per_s(before.queries + 1, after.queries);
    let wake_ups = per_s(before.wake_ups, after.wake_ups);
    let memory = daemon.memory_kib("RssAnon");
    say(&format!(
        "idle: {queries:.1} queries/s, {wake_ups:.1} wake-ups/s, {:.2} % of a core, {memory} KiB in use, {} KiB at the peak",
        // The clock of the scheduler ticks a hundred times a second.
        per_s(before.cpu_ticks, after.cpu_ticks),
        daemon.memory_kib("VmHWM"),
    ));
    assert!(queries <= QUERIES_PER_S, "{queries:.1} queries/s");
    assert!(wake_ups <= WAKE_UPS_PER_S, "{wake_ups:.1} wake-ups/s");
}

/// Counters since the start.
struct Counters {
    queries: u64,
    wake_ups: u64,
    cpu_ticks: u64,
}

async fn measure(served: &Served) -> Counters {
    let mut conn = served.database.conn().await;
    let questions: Option<(String, u64)> = conn
        .query_first("SHOW GLOBAL STATUS LIKE 'Questions'")
        .await
        .unwrap();
    Counters {
        queries: questions.unwrap().1,
        wake_ups: wake_ups(&served.daemon),
        cpu_ticks: cpu_ticks(&served.daemon),
    }
}

/// Returns the number of times that a thread waited for something and was woken.
fn wake_ups(daemon: &Daemon) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
    let mut sum = 0;
    for task in tasks {
        let path = task.unwrap().path();
        let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let count: u64 = line.map_or(0, |count| count.trim().parse().unwrap());
        sum += count;
    }
    sum
}

fn cpu_ticks(daemon: &Daemon) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    [11, 12]
        .iter()
        .map(|at| fields[*at].parse::<u64>().unwrap())
        .sum()
}
