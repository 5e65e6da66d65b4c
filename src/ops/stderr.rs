//! Detects what stderr is: a terminal, the journal, or anything else. This decides the form of the log and of a command's
//! error.

use std::io::{self, IsTerminal};

/// The kind of file that stderr is.
#[derive(Clone, Debug, Default)]
pub struct Stderr {
    /// `JOURNAL_STREAM`, as systemd sets it: `device:inode` of the stream to the journal.
    journal_stream: Option<String>,
    device: u64,
    inode: u64,
    terminal: bool,
    no_color: bool,
}

impl Stderr {
    /// Detects it from the environment and the kernel.
    pub fn detect() -> Self {
        let (device, inode) = match rustix::fs::fstat(io::stderr()) {
            Ok(stat) => (stat.st_dev, stat.st_ino),
            Err(_) => (0, 0),
        };
        Self {
            journal_stream: std::env::var("JOURNAL_STREAM").ok(),
            device,
            inode,
            terminal: io::stderr().is_terminal(),
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        }
    }

    /// Returns true if it is the very stream that systemd connected to the journal. The variable alone proves nothing: every
    /// process that a service starts inherits it, also one with its stderr in a file.
    pub fn is_journal(&self) -> bool {
        let stream = self.journal_stream.as_deref().and_then(|text| {
            let (device, inode) = text.split_once(':')?;
            Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?))
        });
        // The inode is 0 if fstat failed.
        stream == Some((self.device, self.inode)) && self.inode != 0
    }

    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    pub fn allows_colour(&self) -> bool {
        self.terminal && !self.no_color
    }

    /// Formats an error message. The journal takes lines without a priority for information, and reads `<3>` at the start of a
    /// line as "error" (sd-daemon(3)); nothing else does.
    pub fn with_priority(&self, text: &str) -> String {
        if !self.is_journal() {
            return text.to_owned();
        }
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| format!("<3>{line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Device 8, inode 4711, no terminal.
    pub(in crate::ops) fn stderr(journal_stream: Option<&str>) -> Stderr {
        Stderr {
            journal_stream: journal_stream.map(str::to_owned),
            device: 8,
            inode: 4711,
            ..Stderr::default()
        }
    }

    /// A terminal, with or without `NO_COLOR`.
    pub(in crate::ops) fn terminal(no_color: bool) -> Stderr {
        Stderr {
            terminal: true,
            no_color,
            ..stderr(None)
        }
    }

    #[test]
    fn only_the_stream_that_the_variable_names_is_the_journal() {
        assert!(stderr(Some("8:4711")).is_journal());
        for other in [
            None,
            Some("8:4712"),
            Some("9:4711"),
            Some(""),
            Some("8"),
            Some("8:4711:1"),
            Some("x:y"),
        ] {
            assert!(!stderr(other).is_journal(), "{other:?}");
        }
        let unknown = Stderr {
            journal_stream: Some("0:0".into()),
            ..Stderr::default()
        };
        assert!(!unknown.is_journal());
    }

    #[test]
    fn errors_have_a_priority_in_the_journal_and_nowhere_else() {
        let text = "orderfeed: it cannot be\n\nUsage: orderfeed";
        let journal = stderr(Some("8:4711"));
        assert_eq!(
            journal.with_priority(text),
            "<3>orderfeed: it cannot be\n<3>Usage: orderfeed"
        );
        for other in [stderr(None), stderr(Some("8:1")), terminal(false)] {
            assert_eq!(other.with_priority(text), text);
        }
    }
}
