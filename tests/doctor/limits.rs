//! A peer that hangs affects only its own checks, for at most the time limit.

use std::time::{Duration, Instant};

use super::fixture::Examination;
use crate::support::daemon::Installation;
use crate::support::edge;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_database_and_edge_are_reported_within_the_limit() {
    // The listeners accept connections and never answer.
    let listen = || std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (database, deaf) = (listen(), listen());
    let source = format!(
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"mysql://feed@{}/shop\"\nconnect_timeout = \"60s\"\n",
        database.local_addr().unwrap()
    );
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let installation = Installation::new(&edge::config(&url, &source));
    let begun = Instant::now();
    let examination = Examination::of(&installation.run(&["doctor", "--json"]));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    examination.finds(
        "source.reachable",
        "problem",
        &["does not answer within"],
        &["PROCESSLIST"],
    );
    examination.finds("edge.address", "ok", &[], &[]);
    examination.finds("edge.token", "problem", &["no answer"], &["test-connection"]);
    examination.finds("files.directory", "ok", &[], &[]);
}
