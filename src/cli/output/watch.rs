//! `--watch`: repaints a terminal, or prints one block after the other elsewhere, until Ctrl-C.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::output::{self, OutputError};

/// Moves the cursor to the upper left corner. Lines are cleared one by one as they are written, to avoid flicker.
const HOME: &str = "\u{1b}[H";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";
const CLEAR_ALL: &str = "\u{1b}[2J";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Overwrites it.
    Repainted,
    /// Separated by an empty line.
    Blocks,
    /// Every frame is a single line.
    Lines,
}

impl Frames {
    /// Chooses for text: repainted on a terminal.
    pub fn of_text() -> Self {
        match io::stdout().is_terminal() {
            true => Self::Repainted,
            false => Self::Blocks,
        }
    }

    fn frame(self, text: &str, first: bool) -> String {
        match (self, first) {
            (Self::Repainted, _) => {
                let begin = if first { CLEAR_ALL } else { "" };
                let body = text.replace('\n', &format!("{CLEAR_LINE}\n"));
                format!("{begin}{HOME}{body}{CLEAR_BELOW}")
            }
            (Self::Blocks, false) => format!("\n{text}"),
            (Self::Blocks, true) | (Self::Lines, _) => text.to_owned(),
        }
    }
}

/// Prints what `take` returns every `pause`, until Ctrl-C or SIGTERM, or until the reader closes stdout.
pub async fn watch(
    frames: Frames,
    pause: Duration,
    mut take: impl FnMut() -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut ticks = interval(pause);
    // A frame that took long must not be followed by a burst of frames.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut first = true;
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let text = match take() {
            Ok(text) => text,
            // Most likely a mistake in the configuration or the command line.
            Err(error) if first => return Err(error),
            // Not fatal: the daemon may be restarting.
            Err(error) => {
                output::error(&error, None);
                continue;
            }
        };
        match output::data(&frames.frame(&text, first)) {
            Ok(()) => first = false,
            Err(OutputError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_repainted_and_a_pipe_gets_blocks_or_lines() {
        let painted = Frames::Repainted.frame("a\nb\n", false);
        assert_eq!(painted, "\u{1b}[Ha\u{1b}[K\nb\u{1b}[K\n\u{1b}[J");
        assert!(
            Frames::Repainted
                .frame("a\n", true)
                .starts_with("\u{1b}[2J\u{1b}[H")
        );
        assert_eq!(Frames::Blocks.frame("a\n", true), "a\n");
        assert_eq!(Frames::Blocks.frame("a\n", false), "\na\n");
        assert_eq!(Frames::Lines.frame("{}\n", false), "{}\n");
    }
}
