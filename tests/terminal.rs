//! `orderfeed run` in the foreground: on a terminal, a progress bar of the first sync is below the log until it ends.
//! Elsewhere there is no bar.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::{Arc, Mutex};

use orderfeed_emulator::EmulatorHandle;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json;

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::leaks;

/// Start of the bar.
const BAR: &str = "First sync of 4 websites [";

/// A pseudo-terminal that records everything written to it.
struct Terminal {
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Returns a terminal with this many columns, and the side that a program writes to.
    fn open(columns: u16) -> (Self, OwnedFd) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size).unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let terminal = Self {
            written: Arc::clone(&written),
        };
        std::thread::spawn(move || {
            let (mut master, mut chunk) = (File::from(master), [0; 4096]);
            // Reading fails once the last writer has closed its side.
            while let Ok(read @ 1..) = master.read(&mut chunk) {
                written.lock().unwrap().extend_from_slice(&chunk[..read]);
            }
        });
        (terminal, slave.into())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// Returns the lines on the screen, without colours.
    fn screen(&self) -> Vec<String> {
        let (mut lines, mut column) = (vec![Vec::new()], 0);
        // Only the bar moves the cursor back and erases its line.
        for c in without_colours(&self.text()).replace("\u{1b}[2K", "\0").chars() {
            let line: &mut Vec<char> = lines.last_mut().unwrap();
            match c {
                '\0' => line.clear(),
                '\r' => column = 0,
                '\n' => lines.push(Vec::new()),
                c => {
                    line.resize(line.len().max(column + 1), ' ');
                    line[column] = c;
                    column += 1;
                }
            }
        }
        let text = |line: &Vec<char>| String::from_iter(line).trim_end().to_owned();
        lines.iter().map(text).collect()
    }
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('m') {
            Some((code, rest)) if code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') => {
                plain.push_str(rest)
            }
            _ => {
                plain.push_str("\u{1b}[");
                plain.push_str(part);
            }
        }
    }
    plain
}

/// Parses the numbers of every bar drawn: orders done and in total, events sent and in total.
fn drawn(text: &str) -> Vec<[u64; 4]> {
    let bars = text
        .split(BAR)
        .skip(1)
        .filter_map(|bar| bar.split_once("] ")?.1.split_once(" events sent"));
    let numbers = |(bar, _): (&str, &str)| {
        let (orders, events) = bar.split_once(" orders, ")?;
        let ((done, total), (sent, events)) = (orders.split_once('/')?, events.split_once('/')?);
        let [done, total, sent, events] = [done, total, sent, events].map(|number| number.parse().ok());
        Some([done?, total?, sent?, events?])
    };
    bars.filter_map(numbers).collect()
}

/// Starts an edge that answers 503 until it is reset, so that the first sync cannot finish.
async fn blocked_edge() -> (EmulatorHandle, ShopFixture, usize) {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 120);
    fixture.installation.layer("auto", "[log]\nformat = \"auto\"\n");
    edge.script_json(json!([{"status": 503, "times": 0}])).unwrap();
    let events = fixture.expected().len();
    (edge, fixture, events)
}

async fn on_a_terminal(environment: impl FnOnce(&mut Command)) -> Terminal {
    let (edge, fixture, events) = blocked_edge().await;
    let (terminal, slave) = Terminal::open(120);
    let daemon = fixture.installation.start_with(|command| {
        command.stderr(slave).env("TERM", "xterm").env_remove("NO_COLOR");
        environment(command);
    });
    eventually("the bar", || {
        drawn(&terminal.text())
            .iter()
            .any(|[done, total, _, all]| done == total && *all as usize == events)
    });
    edge.reset();
    eventually("everything arrives", || fixture.is_served(&edge, events));
    eventually("the bar disappears", || {
        let screen = terminal.screen();
        screen
            .iter()
            .filter(|line| line.contains("The first sync is complete"))
            .count()
            == 4
            && !screen.iter().any(|line| line.contains(BAR))
    });
    assert_eq!(daemon.stop(), Some(0));
    eventually("the last line", || terminal.text().contains("The daemon ended"));
    let screen = terminal.screen();
    assert_eq!(screen.last().map(String::as_str), Some(""), "{screen:#?}");
    // Beside the bar there are only whole log lines.
    let is_log_line = |line: &&String| line.get(2..3) == Some(":") && line.get(5..6) == Some(":");
    let other: Vec<_> = screen
        .iter()
        .filter(|line| !line.is_empty() && !is_log_line(line))
        .collect();
    assert!(other.is_empty(), "{other:#?}");
    let bars = drawn(&terminal.text());
    assert!(
        bars.is_sorted_by(|one, later| one[0] <= later[0] && one[2] <= later[2]),
        "{bars:?}"
    );
    leaks::assert_none("the terminal", &terminal.text());
    terminal
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sync_has_a_bar_below_the_log_until_it_ends() {
    let terminal = on_a_terminal(|_| {}).await;
    assert!(terminal.text().contains("\u{1b}[32m"), "levels are coloured");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_color_disables_colours_but_not_the_bar() {
    let terminal = on_a_terminal(|command| {
        command.env("NO_COLOR", "1");
    })
    .await;
    let text = terminal.text();
    assert_eq!(without_colours(&text), text, "there are colours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_terminal_there_is_neither_bar_nor_escape_sequence() {
    let (edge, fixture, events) = blocked_edge().await;
    let daemon = fixture.installation.start();
    eventually("the first sync is blocked", || {
        fixture.installation.pending() == events as u64
    });
    edge.reset();
    eventually("everything arrives", || fixture.is_served(&edge, events));
    eventually("the ends of the first syncs", || {
        let log = fixture.installation.log();
        log.matches("The first sync is complete").count() == 4
    });
    assert_eq!(daemon.stop(), Some(0));
    let log = fixture.installation.log();
    assert!(
        !log.contains('\u{1b}') && !log.contains('\r') && !log.contains(BAR),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_terminal_shows_a_bar_of_its_width() {
    let (edge, fixture, events) = blocked_edge().await;
    let (terminal, slave) = Terminal::open(60);
    let daemon = fixture.installation.start_with(|command| {
        command.stderr(slave).env("TERM", "xterm");
    });
    eventually("the bar", || terminal.text().contains(BAR));
    edge.reset();
    eventually("everything arrives", || fixture.is_served(&edge, events));
    assert_eq!(daemon.stop(), Some(0));
    let text = terminal.text();
    let bars = text
        .split(['\r', '\n'])
        .filter_map(|part| part.find(BAR).map(|at| part[at..].chars().count()));
    assert!(
        bars.clone().count() > 0 && bars.clone().all(|width| width <= 60),
        "{text}"
    );
}
