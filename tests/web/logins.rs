//! Passwords, logins and sessions.

use std::fs;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::daemon::eventually;

use crate::web::fixture::{Listen, PASSWORD, Site};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_allows_actions_until_logout() {
    let site = Site::start(Listen::Tcp, 3).await;
    site.settle();
    let reader = site.browser();
    let page = reader.get("/login?next=%2Ffailed");
    assert!(page.body.contains("No password is set"), "{page:?}");
    let answer = reader.post("/login", &[("password", PASSWORD)]);
    assert_eq!(answer.status, 403, "{answer:?}");
    let set = site.set_password(PASSWORD).ok();
    assert!(set.contains("orderfeed.db.password"), "{set}");
    let page = reader.get("/login?next=%2Ffailed");
    assert!(page.body.contains("name=\"next\" value=\"/failed\""), "{page:?}");

    let answer = reader.post("/login", &[("password", PASSWORD), ("next", "//evil.example/")]);
    assert_eq!(answer.target(), "/");
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let operator = site.browser().logged_in(PASSWORD);
    let answer = operator.post("/actions/delivery-pause", &[]);
    assert_eq!(answer.target(), "/");
    assert!(site.sender_states().iter().all(|state| state == "paused"));
    // A cookie alone is not enough for a form of another site.
    let foreign = site
        .program()
        .logged_in(PASSWORD)
        .with("Origin", "https://evil.example");
    assert_eq!(foreign.post("/actions/delivery-resume", &[]).status, 403);

    let answer = operator.post("/logout", &[]);
    assert_eq!(answer.target(), "/");
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(operator.post("/actions/delivery-resume", &[]).status, 403);
    let log = site.shop.installation.log();
    assert!(log.contains("OF09-03") && log.contains("who=admin"), "{log}");
    assert!(!log.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_sessions_of_the_old_one() {
    let site = Site::start(Listen::Tcp, 0).await;
    site.set_password(PASSWORD).ok();
    let operator = site.browser().logged_in(PASSWORD);
    assert_eq!(operator.post("/actions/history-stop", &[]).status, 303);
    site.set_password("another horse").ok();
    assert_eq!(operator.post("/actions/history-stop", &[]).status, 403);
    assert_eq!(
        site.browser().post("/login", &[("password", PASSWORD)]).status,
        403
    );
    site.browser().logged_in("another horse");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_a_password_is_slowed_down() {
    let site = Site::start(Listen::Tcp, 0).await;
    site.set_password(PASSWORD).ok();
    let mut statuses = Vec::new();
    for attempt in 0..8 {
        let password = format!("guess {attempt}");
        let answer = site.browser().post("/login", &[("password", &password)]);
        assert!(answer.header("set-cookie").is_none());
        if answer.status == 429 {
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=10).contains(&seconds), "{answer:?}");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..5], [403; 5]);
    assert!(statuses[5..].contains(&429), "{statuses:?}");
    let log = site.shop.installation.log();
    assert!(log.contains("OF09-04"), "{log}");
    assert!(!log.contains("guess 0"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_stored_as_a_hash_that_only_the_daemon_can_read() {
    let site = Site::start(Listen::Unix, 0).await;
    let file = site.shop.installation.path("orderfeed.db.password");
    let refused = site.set_password("short");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("at least 8 characters"), "{refused:?}");
    assert!(!file.exists());
    let ran = site.set_password(PASSWORD);
    assert!(ran.stderr.contains("ssh -L 9187:"), "{ran:?}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
    let found = fs::metadata(&file).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let store = fs::metadata(site.shop.installation.path("orderfeed.db")).unwrap();
    assert_eq!((found.uid(), found.gid()), (store.uid(), store.gid()));
    let printed = site
        .with_stdin(&["admin", "set-password", "--print"], "another horse")
        .ok();
    assert!(printed.starts_with("$argon2id$"), "{printed}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_typed_is_not_shown() {
    let site = Site::start(Listen::Unix, 0).await;
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let type_twice = |first: &str, second: &str| {
        let mut command = site.shop.installation.command(&["admin", "set-password"]);
        command
            .stdin(terminal.try_clone().unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut asked = child.stderr.take().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let reading = std::thread::spawn({
            let shown = Arc::clone(&shown);
            move || {
                let mut chunk = [0; 256];
                while let Ok(read @ 1..) = asked.read(&mut chunk) {
                    shown
                        .lock()
                        .unwrap()
                        .push_str(&String::from_utf8_lossy(&chunk[..read]));
                }
            }
        });
        let mut keyboard = File::from(master.try_clone().unwrap());
        for (question, answer) in [("New password", first), ("Once more", second)] {
            eventually("the question", || shown.lock().unwrap().contains(question));
            // The question precedes the change of the terminal.
            eventually("the echo is off", || {
                let modes = rustix::termios::tcgetattr(&terminal).unwrap().local_modes;
                !modes.contains(rustix::termios::LocalModes::ECHO)
            });
            keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
        }
        let code = child.wait().unwrap().code();
        reading.join().unwrap();
        (code, shown.lock().unwrap().clone())
    };
    let (code, shown) = type_twice(PASSWORD, "another horse");
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("the two passwords differ"), "{shown}");
    let (code, shown) = type_twice(PASSWORD, PASSWORD);
    assert_eq!(code, Some(0), "{shown}");
    assert!(site.shop.installation.path("orderfeed.db.password").exists());
    let modes = rustix::termios::tcgetattr(&terminal).unwrap().local_modes;
    assert!(modes.contains(rustix::termios::LocalModes::ECHO));
    // The echo would be readable at the other end of the terminal.
    drop(terminal);
    let mut echoed = Vec::new();
    let _ = File::from(master).read_to_end(&mut echoed);
    assert!(!String::from_utf8_lossy(&echoed).contains(PASSWORD));
}
