//! Sends log entries in the journal's native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>), one datagram each.
//!
//! `MESSAGE` is the sentence with its `key=value` pairs, so that `journalctl -u orderfeed` reads like any other log. Each field
//! is also there under its own name (`journalctl F_ORDER=1042`). Values arrive escaped, without line breaks, so nothing in
//! them can start another field.
//!
//! An entry with a code of the catalogue has it as `ORDERFEED_CODE`, and a `MESSAGE_ID` made from it. That id identifies the
//! kind of message for the journal and its readers, also after the message was reworded.

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;
use uuid::{Uuid, uuid};

/// The socket of the journal.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";
const IDENTIFIER: &str = "orderfeed";
/// Namespace of all message ids: UUIDv5 of `urn:orderfeed:log-code` in the URL namespace. It must never change, or the filters
/// that operators wrote would match nothing any more.
const MESSAGE_NAMESPACE: Uuid = uuid!("2fcdf397-5db2-5f74-9ef2-8127b855082d");

/// A writer that sends each buffer as one entry. While the journal restarts, entries are lost rather than the daemon held up.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    socket: Arc<UnixDatagram>,
    path: Arc<PathBuf>,
}

impl Journal {
    /// Connects to the journal that listens at `path`.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let probe = UnixDatagram::unbound()?;
        probe.connect(path)?;
        // Entries are sent to the path, not over the probe's connection, which would end when the journal restarts.
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

/// The properties of an entry that are not fields of the event.
pub(super) struct EntryHeader<'a> {
    pub level: &'a Level,
    pub target: &'a str,
    /// Code in the catalogue of `docs/OPERATIONS.md`.
    pub code: Option<&'a str>,
}

/// Formats an entry. `line` is the whole sentence; neither it nor the `fields` may contain line breaks.
pub(super) fn entry<'a>(
    about: &EntryHeader<'_>,
    line: &str,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let (priority, target) = (priority(about.level), about.target);
    let mut entry =
        format!("MESSAGE={line}\nPRIORITY={priority}\nSYSLOG_IDENTIFIER={IDENTIFIER}\nTARGET={target}\n");
    if let Some(code) = about.code {
        let _ = writeln!(entry, "ORDERFEED_CODE={code}\nMESSAGE_ID={}", message_id(code));
    }
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
        // The prefix keeps a field from setting one of the journal's own names. Names of more than 64 bytes are refused.
        let _ = writeln!(entry, "F_{:.62}={value}", name);
    }
    entry
}

fn message_id(code: &str) -> uuid::fmt::Simple {
    Uuid::new_v5(&MESSAGE_NAMESPACE, code.as_bytes()).simple()
}

/// Returns the priority of syslog(3) with the same name, so that `journalctl -p info` does not show debug messages.
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
    fn an_entry_has_the_sentence_and_its_fields() {
        let about = EntryHeader {
            level: &Level::WARN,
            target: "orderfeed::x",
            code: None,
        };
        let text = entry(&about, "Batch refused order=7", [("order.id", "7")]);
        assert_eq!(
            text,
            "MESSAGE=Batch refused order=7\nPRIORITY=4\nSYSLOG_IDENTIFIER=orderfeed\nTARGET=orderfeed::x\nF_ORDER_ID=7\n"
        );
    }

    #[test]
    fn the_id_of_a_message_is_frozen_for_all_time() {
        assert_eq!(
            MESSAGE_NAMESPACE,
            Uuid::new_v5(&Uuid::NAMESPACE_URL, b"urn:orderfeed:log-code")
        );
        let about = EntryHeader {
            level: &Level::ERROR,
            target: "x",
            code: Some("OF06-01"),
        };
        assert_eq!(
            entry(&about, "OF06-01 Delivery halted", []),
            "MESSAGE=OF06-01 Delivery halted\nPRIORITY=3\nSYSLOG_IDENTIFIER=orderfeed\nTARGET=x\n\
             ORDERFEED_CODE=OF06-01\nMESSAGE_ID=177bc07591375ded876689c92e9f1115\n"
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
        assert!(Journal::at(&path).is_err(), "nothing listens");
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
