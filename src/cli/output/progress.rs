//! Progress of long work on stderr: a bar on a terminal, otherwise a line every ten seconds.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output;
use crate::daemon::control::Progress;
use crate::ops::sentence::{human_bytes, human_duration};

const LINE_EVERY: Duration = Duration::from_secs(10);

/// A progress bar with a text, which is printed alone if stderr is not a terminal.
#[derive(Debug)]
pub struct Meter {
    bar: ProgressBar,
    started: Instant,
    printed: Option<Instant>,
}

impl Default for Meter {
    fn default() -> Self {
        let style = ProgressStyle::with_template("[{bar:30}] {wide_msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self {
            bar: ProgressBar::new(0).with_style(style.progress_chars("# ")),
            started: Instant::now(),
            printed: None,
        }
    }
}

impl Meter {
    pub fn show(&mut self, progress: Progress) {
        self.draw(progress.done, progress.total, |elapsed| {
            orders_text(progress, elapsed)
        });
    }

    pub fn show_bytes(&mut self, done: u64, total: u64) {
        self.draw(done, total, |elapsed| bytes_text(done, total, elapsed));
    }

    /// Shows the bar or prints the text, unless that was done a moment ago.
    pub fn draw(&mut self, done: u64, total: u64, text: impl FnOnce(Duration) -> String) {
        if !self.bar.is_hidden() {
            // `clear` finishes the bar.
            if self.bar.is_finished() {
                self.bar.reset();
            }
            // A length of 0 would draw a full bar.
            self.bar.set_length(total.max(1));
            self.bar.set_position(done.min(total));
            self.bar.set_message(text(self.started.elapsed()));
        } else if self.printed.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
            self.printed = Some(Instant::now());
            output::notice(&text(self.started.elapsed()));
        }
    }

    /// Removes the bar, so that a line can be printed.
    pub fn clear(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn orders_text(progress: Progress, elapsed: Duration) -> String {
    let Progress { done, total, events } = progress;
    let of = match total {
        0 => String::new(),
        total => format!("/{total} ({} %)", done.min(total) * 100 / total),
    };
    let left = remaining(done, total, elapsed);
    format!("{done}{of} orders, {events} events{left}")
}

fn bytes_text(done: u64, total: u64, elapsed: Duration) -> String {
    let percent = done.min(total) * 100 / total.max(1);
    let left = remaining(done, total, elapsed);
    format!(
        "{} of {} ({percent} %){left}",
        human_bytes(done),
        human_bytes(total)
    )
}

/// Estimates the remaining time from the speed so far. Returns an empty text in the first second.
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
    fn the_text_shows_progress_and_remaining_time() {
        let progress = Progress {
            done: 500,
            total: 2000,
            events: 1200,
        };
        assert_eq!(
            orders_text(progress, Duration::from_secs(10)),
            "500/2000 (25 %) orders, 1200 events, about 30s left"
        );
        let unknown = Progress { total: 0, ..progress };
        assert_eq!(
            orders_text(unknown, Duration::from_secs(10)),
            "500 orders, 1200 events"
        );
        assert_eq!(
            bytes_text(1 << 20, 4 << 20, Duration::from_secs(10)),
            "1.0 MiB of 4.0 MiB (25 %), about 30s left"
        );
    }
}
