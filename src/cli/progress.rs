//! Long work: a bar on a terminal, a line now and then in a log. Goes to stderr through [`crate::cli::output`].

use std::time::{Duration, Instant};

use crate::cli::output;
use crate::daemon::control::Progress;
use crate::ops::sentence::spoken_duration;

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
            terminal: output::talks_to_a_terminal(),
            drawn: false,
        }
    }

    /// Shows how far the work is, if it is time for it.
    pub fn show(&mut self, progress: Progress) {
        let terminal = self.terminal;
        self.say(|elapsed| match terminal {
            true => bar(progress, elapsed),
            false => sentence(progress, elapsed),
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
            output::talk(&text(elapsed));
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

fn bar(progress: Progress, elapsed: Duration) -> String {
    let filled = match progress.total {
        0 => 0,
        total => (progress.done.min(total) * BAR_WIDTH as u64 / total) as usize,
    };
    let (done, rest) = ("#".repeat(filled), " ".repeat(BAR_WIDTH - filled));
    format!("[{done}{rest}] {}", sentence(progress, elapsed))
}

fn sentence(progress: Progress, elapsed: Duration) -> String {
    let Progress { done, total, events } = progress;
    let of = match total {
        0 => String::new(),
        total => format!("/{total} ({} %)", done.min(total) * 100 / total),
    };
    let left = remaining(progress, elapsed).map_or_else(String::new, |left| {
        format!(
            ", about {} left",
            spoken_duration(i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
        )
    });
    format!("{done}{of} orders, {events} events{left}")
}

/// How long the rest takes at the speed so far; nothing while that would be a guess.
fn remaining(progress: Progress, elapsed: Duration) -> Option<Duration> {
    let guess = progress.done == 0 || progress.total <= progress.done || elapsed < Duration::from_secs(1);
    let rest = progress.total.saturating_sub(progress.done);
    (!guess).then(|| elapsed.mul_f64(rest as f64 / progress.done as f64))
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
        let text = bar(progress, Duration::from_secs(10));
        assert_eq!(
            text,
            "[#######                       ] 500/2000 (25 %) orders, 1200 events, about 30s left"
        );
        let unknown = Progress { total: 0, ..progress };
        assert_eq!(
            sentence(unknown, Duration::from_secs(10)),
            "500 orders, 1200 events"
        );
    }
}
