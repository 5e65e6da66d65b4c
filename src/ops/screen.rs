//! A terminal that shows the log, and below it a progress bar, for `run` in the foreground.

use std::io::{self, Write};
use std::sync::LazyLock;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

static BAR: LazyLock<ProgressBar> = LazyLock::new(|| {
    // Cut to the width of the terminal: a bar that wraps could not be erased.
    let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
    bar.finish_and_clear();
    bar
});

/// A writer of log lines. Each erases the bar, is written, and the bar is drawn again, under one lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen;

impl<'a> MakeWriter<'a> for Screen {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Screen {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        BAR.suspend(|| io::stderr().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Draws the bar, or removes it if the text is empty. Only terminals show it.
pub fn set_bar(text: &str) {
    if text.is_empty() {
        return BAR.finish_and_clear();
    }
    if BAR.is_finished() {
        BAR.reset();
    }
    BAR.set_message(text.to_owned());
}
