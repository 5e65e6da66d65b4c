//! Showing something again and again: repainted on a terminal, one block after the other elsewhere. Ends with Ctrl-C.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::output::{self, OutputError};

/// Cursor to the upper left corner; what is below it is cleared line by line, so that nothing flickers.
const HOME: &str = "\u{1b}[H";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";
const CLEAR_ALL: &str = "\u{1b}[2J";

/// How each picture follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Over it.
    Repainted,
    /// Below it, after an empty line.
    Blocks,
    /// Below it: each is one line.
    Lines,
}

impl Frames {
    /// Of text: repainted where a person looks.
    pub fn of_text() -> Self {
        match io::stdout().is_terminal() {
            true => Self::Repainted,
            false => Self::Blocks,
        }
    }

    /// What is printed for the picture `text`.
    fn framed(self, text: &str, first: bool) -> String {
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

/// Shows `picture` every `pause` until Ctrl-C, SIGTERM, or until its reader goes away. A picture that cannot be taken is
/// said and tried again: a daemon may be restarted meanwhile.
///
/// # Errors
/// If the first picture cannot be taken, signals cannot be received, or stdout cannot be written.
pub async fn watch(
    frames: Frames,
    pause: Duration,
    mut picture: impl FnMut() -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut first = true;
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let text = match picture() {
            Ok(text) => text,
            Err(error) if first => return Err(error),
            Err(error) => {
                output::failure(&error);
                continue;
            }
        };
        match output::data(&frames.framed(&text, first)) {
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
    fn a_terminal_is_repainted_and_a_pipe_gets_one_after_the_other() {
        let painted = Frames::Repainted.framed("a\nb\n", false);
        assert_eq!(painted, "\u{1b}[Ha\u{1b}[K\nb\u{1b}[K\n\u{1b}[J");
        assert!(
            Frames::Repainted
                .framed("a\n", true)
                .starts_with("\u{1b}[2J\u{1b}[H")
        );
        assert_eq!(Frames::Blocks.framed("a\n", true), "a\n");
        assert_eq!(Frames::Blocks.framed("a\n", false), "\na\n");
        assert_eq!(Frames::Lines.framed("{}\n", false), "{}\n");
    }
}
