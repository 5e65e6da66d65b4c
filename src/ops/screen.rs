//! A terminal on which the log goes by, with one line at the bottom that stays: for a bar of progress in the foreground.
//!
//! Both are written by whoever has something to write, so they share a lock: the bar is taken away, the log's line is
//! written, the bar is drawn again.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// What stands at the bottom; empty for nothing.
static BAR: Mutex<String> = Mutex::new(String::new());

/// Begins the line anew.
const ERASE: &str = "\r\u{1b}[K";

/// Writes lines of the log above the bar.
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
        let bar = bar();
        let mut stderr = io::stderr().lock();
        match bar.is_empty() {
            true => stderr.write_all(line)?,
            false => stderr.write_all(&above(line, &bar))?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Draws the bar, or takes it away with an empty text. For terminals only. Lost if nobody listens.
pub fn set_bar(text: &str) {
    let mut bar = bar();
    if *bar == text {
        return;
    }
    text.clone_into(&mut bar);
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{ERASE}{text}");
    let _ = stderr.flush();
}

fn bar() -> MutexGuard<'static, String> {
    BAR.lock().unwrap_or_else(PoisonError::into_inner)
}

fn above(line: &[u8], bar: &str) -> Vec<u8> {
    [ERASE.as_bytes(), line, bar.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_goes_above_the_bar() {
        let written = above(b"something happened\n", "[##  ]");
        assert_eq!(written, b"\r\x1b[Ksomething happened\n[##  ]");
    }
}
