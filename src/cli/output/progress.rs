//! Long work: a bar on a terminal, a line now and then in a log. Goes to stderr through [`crate::cli::output`].

use std::time::{Duration, Instant};

use crate::cli::output;
use crate::daemon::control::Progress;
use crate::ops::sentence::{human_bytes, human_duration};

/// Between two lines where no terminal shows a bar.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Between two drawings of the bar.
const BAR_EVERY: Duration = Duration::from_millis(100);
const BAR_WIDTH: usize = 30;

/// Shows progress as it comes.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    shown: Option<Instant>,
    terminal: bool,
    drawn: bool,
}

impl Meter {
    /// Starts to count the time.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            shown: None,
            terminal: output::stderr_is_terminal(),
            drawn: false,
        }
    }

    /// Shows how far the work is, if it is time for it.
    pub fn show(&mut self, progress: Progress) {
        let terminal = self.terminal;
        self.say(|elapsed| {
            let words = sentence(progress, elapsed);
            match terminal {
                true => bar(progress.done, progress.total, &words),
                false => words,
            }
        });
    }

    /// The same for work that is measured in bytes.
    pub fn show_bytes(&mut self, done: u64, total: u64) {
        let terminal = self.terminal;
        self.say(|elapsed| {
            let words = bytes_sentence(done, total, elapsed);
            match terminal {
                true => bar(done, total, &words),
                false => words,
            }
        });
    }

    /// Shows words of how far it is, if it is time for it.
    pub fn say(&mut self, text: impl FnOnce(Duration) -> String) {
        let every = if self.terminal { BAR_EVERY } else { LINE_EVERY };
        if self.shown.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        self.shown = Some(Instant::now());
        let elapsed = self.started.elapsed();
        if self.terminal {
            output::redraw(&text(elapsed));
            self.drawn = true;
        } else {
            output::notice(&text(elapsed));
        }
    }

    /// Removes the bar, so that something else can be said.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            output::redraw("");
        }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

fn bar(done: u64, total: u64, words: &str) -> String {
    let filled = match total {
        0 => 0,
        total => (done.min(total) * BAR_WIDTH as u64 / total) as usize,
    };
    let (done, rest) = ("#".repeat(filled), " ".repeat(BAR_WIDTH - filled));
    format!("[{done}{rest}] {words}")
}

fn sentence(progress: Progress, elapsed: Duration) -> String {
    let Progress { done, total, events } = progress;
    let of = match total {
        0 => String::new(),
        total => format!("/{total} ({} %)", done.min(total) * 100 / total),
    };
    let left = remaining(done, total, elapsed);
    format!("{done}{of} orders, {events} events{left}")
}

fn bytes_sentence(done: u64, total: u64, elapsed: Duration) -> String {
    let percent = done.min(total) * 100 / total.max(1);
    let left = remaining(done, total, elapsed);
    format!(
        "{} of {} ({percent} %){left}",
        human_bytes(done),
        human_bytes(total)
    )
}

/// How long the rest takes at the speed so far; nothing while that would be a guess.
fn remaining(done: u64, total: u64, elapsed: Duration) -> String {
    if done == 0 || total <= done || elapsed < Duration::from_secs(1) {
        return String::new();
    }
    let left = elapsed.mul_f64((total - done) as f64 / done as f64);
    let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
    format!(", about {} left", human_duration(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_how_far_and_how_long_still() {
        let progress = Progress {
            done: 500,
            total: 2000,
            events: 1200,
        };
        let text = bar(
            progress.done,
            progress.total,
            &sentence(progress, Duration::from_secs(10)),
        );
        assert_eq!(
            text,
            "[#######                       ] 500/2000 (25 %) orders, 1200 events, about 30s left"
        );
        let unknown = Progress { total: 0, ..progress };
        assert_eq!(
            sentence(unknown, Duration::from_secs(10)),
            "500 orders, 1200 events"
        );
        assert_eq!(
            bytes_sentence(1 << 20, 4 << 20, Duration::from_secs(10)),
            "1.0 MiB of 4.0 MiB (25 %), about 30s left"
        );
    }
}
