//! The journal's native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>): one datagram an entry.
//!
//! `MESSAGE` is the sentence with its `key=value`, so that `journalctl -u orderfeed` reads like any other log; each
//! field is there again under its own name (`journalctl F_ORDER=1042`). Values arrive escaped, without line breaks, so
//! nothing in them can begin another field.

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

/// Where the journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";
/// The name under which entries appear.
const IDENTIFIER: &str = "orderfeed";

/// Sends what is written as one entry. A journal that is restarting loses entries rather than holding up the daemon.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    socket: Arc<UnixDatagram>,
    path: Arc<PathBuf>,
}

impl Journal {
    /// The journal that listens at `path`.
    ///
    /// # Errors
    /// If nobody listens there.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let probe = UnixDatagram::unbound()?;
        probe.connect(path)?;
        // Entries go to the path, not over the probe's connection: that would end when the journal restarts.
        Ok(Self {
            socket: Arc::new(UnixDatagram::unbound()?),
            path: Arc::new(path.to_owned()),
        })
    }
}

impl io::Write for Journal {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        self.socket.send_to(entry, &*self.path)?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Journal {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// An entry. `line` is the whole sentence, `fields` are names and values; all of it without line breaks.
pub(super) fn entry<'a>(
    level: &Level,
    target: &str,
    line: &str,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let priority = priority(level);
    let mut entry =
        format!("MESSAGE={line}\nPRIORITY={priority}\nSYSLOG_IDENTIFIER={IDENTIFIER}\nTARGET={target}\n");
    for (name, value) in fields {
        let name: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_uppercase()
                } else {
                    '_'
                }
            })
            .collect();
        // Names of the journal's own must not be set by a field; longer ones than 64 bytes are refused.
        let _ = writeln!(entry, "F_{:.62}={value}", name);
    }
    entry
}

/// The priorities of syslog(3) by their names, so that `journalctl -p info` does not show debug messages.
fn priority(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn an_entry_reads_by_itself_and_has_its_fields() {
        let text = entry(
            &Level::WARN,
            "orderfeed::x",
            "Batch refused order=7",
            [("order.id", "7")],
        );
        assert_eq!(
            text,
            "MESSAGE=Batch refused order=7\nPRIORITY=4\nSYSLOG_IDENTIFIER=orderfeed\nTARGET=orderfeed::x\nF_ORDER_ID=7\n"
        );
    }

    #[test]
    fn levels_have_the_priorities_of_their_names() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        assert_eq!(levels.map(|level| priority(&level)), [3, 4, 6, 7, 7]);
    }

    #[test]
    fn an_entry_is_one_datagram_also_after_the_journal_restarted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        assert!(Journal::at(&path).is_err(), "nobody listens");
        let receive = |listener: &UnixDatagram| {
            let mut buffer = [0; 64];
            let length = listener.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        let first = UnixDatagram::bind(&path).unwrap();
        let mut journal = Journal::at(&path).unwrap();
        journal.write_all(b"MESSAGE=one\n").unwrap();
        assert_eq!(receive(&first), "MESSAGE=one\n");
        drop(first);
        std::fs::remove_file(&path).unwrap();
        let second = UnixDatagram::bind(&path).unwrap();
        journal.write_all(b"MESSAGE=two\n").unwrap();
        assert_eq!(receive(&second), "MESSAGE=two\n");
    }
}
