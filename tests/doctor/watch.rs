//! `status --watch`: one snapshot after another, until Ctrl-C.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::edge;
use crate::support::embedded::ShopFixture;

fn watching(fixture: &ShopFixture, args: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut child = fixture
        .installation
        .command(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines.map(Result::unwrap))
}

fn end(mut child: Child, signal: Signal) -> Option<i32> {
    kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), signal).unwrap();
    child.wait().unwrap().code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_gets_one_snapshot_after_another_and_ctrl_c_ends_with_0() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 3);
    let none = fixture.installation.run(&["status", "--watch", "0.2"]);
    assert_eq!(
        none.code,
        Some(69),
        "without a store there is nothing to watch: {none:?}"
    );
    let daemon = fixture.installation.start_and_wait();
    let (child, mut lines) = watching(&fixture, &["status", "--watch", "0.2"]);
    let blocks = lines
        .by_ref()
        .filter(|line| line.starts_with("Taken at"))
        .take(3)
        .count();
    assert_eq!(blocks, 3);
    assert_eq!(end(child, Signal::INT), Some(0));
    let (child, mut lines) = watching(&fixture, &["status", "--json", "--watch", "0.2"]);
    for _ in 0..2 {
        let one: serde_json::Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
        assert_eq!(one["version"], 1);
    }
    // The watch continues when the daemon ends.
    assert_eq!(daemon.stop(), Some(0));
    assert!(lines.any(|line| line.contains("\"running\":false")));
    assert_eq!(end(child, Signal::TERM), Some(0));
    for wrong in ["0", "soon", "-1"] {
        let refused = fixture.installation.run(&["status", &format!("--watch={wrong}")]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
}
