//! One store has one daemon, under whichever name it is opened, and its files are not replaced by the program's own sockets.

use std::os::unix::fs::symlink;

use crate::support::daemon::Installation;
use crate::support::edge;

fn installation() -> Installation {
    let source =
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"mysql://orderfeed@127.0.0.1:9/magento\"\n";
    Installation::new(&edge::config("http://127.0.0.1:9", source))
}

#[test]
fn a_second_daemon_is_refused_under_every_name_of_the_store() {
    let first = installation();
    let daemon = first.start_and_wait();
    let linked = installation();
    symlink(first.path("orderfeed.db"), linked.path("orderfeed.db")).unwrap();
    let ran = linked.run(&["run"]);
    assert_eq!(ran.code, Some(75), "{ran:?}");
    assert!(ran.stderr.contains("orderfeed run (process"), "{ran:?}");
    // Commands reach the daemon through the link.
    linked.run(&["delivery", "pause"]).ok();
    assert!(
        linked
            .run(&["status", "--json"])
            .ok()
            .contains("\"running\": true")
    );

    let second = installation();
    std::fs::hard_link(first.path("orderfeed.db"), second.path("orderfeed.db")).unwrap();
    let ran = second.run(&["run"]);
    assert_eq!(ran.code, Some(75), "{ran:?}");
    assert!(ran.stderr.contains("under another name of its file"), "{ran:?}");
    daemon.kill();
    // The locks end with their holder.
    assert_eq!(second.start_and_wait().stop(), Some(0));
}

#[test]
fn the_admin_endpoint_may_not_be_a_file_of_the_store() {
    let installation = installation();
    for suffix in ["", "-wal", ".lock", ".sock"] {
        let store = installation.path("orderfeed.db").display().to_string();
        installation.layer("admin", &format!("[admin]\nlisten = \"unix:{store}{suffix}\"\n"));
        for command in [&["config", "check"][..], &["run"]] {
            let ran = installation.run(command);
            assert_eq!(ran.code, Some(78), "{ran:?}");
            assert!(
                ran.stderr.contains("admin.listen: ") && ran.stderr.contains("is a file of the store"),
                "{ran:?}"
            );
        }
    }
}
