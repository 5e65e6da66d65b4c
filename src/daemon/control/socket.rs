//! The control socket: a Unix socket beside the store. Its path, the listener, and the client.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::daemon::control::{ControlError, MAX_LINE, Outcome, Reply, Request};
use crate::ops::sentence::visible;
use crate::store::StoreLock;
use crate::store::file::{behind_link, beside};

/// Longest path of a socket in bytes. Linux allows 108 with the final zero; other systems a little less.
const MAX_PATH: usize = 100;

/// The listening socket. Dropping it removes the file.
#[derive(Debug)]
pub struct ControlSocket {
    pub(crate) listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Listens on the socket of the store at `store`, with mode 0600.
    ///
    /// Must be called inside the runtime, and before other threads create files: it changes the umask of the process for a
    /// moment.
    pub fn listen(store: &Path, _held: &StoreLock) -> Result<Self, ControlError> {
        let path = socket_path(store)?;
        let failed = |cause| of_io(&path, cause);
        // A killed daemon left its socket behind. The caller holds the lock, so no other daemon listens on it.
        remove_socket(&path).map_err(failed)?;
        // With a chmod alone, other users could connect between bind and chmod.
        let umask = rustix::process::umask(Mode::from_bits_truncate(0o177));
        let listener = UnixListener::bind(&path);
        rustix::process::umask(umask);
        let listener = listener.map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, path })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = remove_socket(&self.path);
    }
}

/// Removes the socket at `path`, if there is one.
///
/// # Errors
/// If it cannot be removed, or if something other than a socket is there.
pub(crate) fn remove_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(found) if !found.file_type().is_socket() => Err(io::Error::other(
            "there is a file that is not a socket; move it away, or choose another path",
        )),
        _ => fs::remove_file(path),
    }
}

/// Returns `<store>.sock`, or an error if that is too long for a socket.
pub fn socket_path(store: &Path) -> Result<PathBuf, ControlError> {
    let path = beside(&behind_link(store), ".sock");
    let length = path.as_os_str().as_bytes().len();
    match length > MAX_PATH {
        true => Err(ControlError::PathTooLong {
            path,
            length,
            max: MAX_PATH,
        }),
        false => Ok(path),
    }
}

/// Sends a request to the daemon of the store at `store` and waits for its last reply. Passes the others to `on_reply` as
/// they arrive.
///
/// # Errors
/// [`ControlError::NoDaemon`] if no process listens, [`ControlError::Failed`] if the daemon refused or failed; else the
/// connection broke.
pub async fn send_request(
    store: &Path,
    request: &Request,
    mut on_reply: impl FnMut(Reply),
) -> Result<Outcome, ControlError> {
    let path = socket_path(store)?;
    let mut stream = connect(&path).await?;
    let failed = |cause| of_io(&path, cause);
    let mut line = serde_json::to_vec(request).map_err(|error| malformed(&error))?;
    line.push(b'\n');
    stream.write_all(&line).await.map_err(failed)?;
    let mut replies = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        // An endless line must not fill the memory.
        let limit = MAX_LINE as u64;
        let read = (&mut replies).take(limit).read_until(b'\n', &mut line).await;
        if read.map_err(failed)? == 0 || line.last() != Some(&b'\n') {
            // The connection ended, or ended within a line.
            return Err(ControlError::Lost);
        }
        match parse(&line).map_err(|error| malformed(&error))? {
            Reply::Done(outcome) => return Ok(outcome),
            Reply::Failed { message, exit } => return Err(ControlError::Failed { message, exit }),
            reply @ (Reply::Progress(_) | Reply::Line { .. }) => on_reply(reply),
        }
    }
}

/// Parses a reply. Control characters in its texts are escaped, because commands print them: a terminal would obey them.
fn parse(line: &[u8]) -> serde_json::Result<Reply> {
    let mut reply: Value = serde_json::from_slice(line)?;
    escape(&mut reply);
    serde_json::from_value(reply)
}

fn escape(value: &mut Value) {
    match value {
        Value::String(text) => *text = visible(text),
        Value::Array(values) => values.iter_mut().for_each(escape),
        Value::Object(fields) => fields.values_mut().for_each(escape),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

async fn connect(path: &Path) -> Result<UnixStream, ControlError> {
    UnixStream::connect(path)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NoDaemon,
            io::ErrorKind::PermissionDenied => ControlError::NotPermitted {
                path: path.to_owned(),
            },
            _ => of_io(path, error),
        })
}

fn of_io(path: &Path, cause: io::Error) -> ControlError {
    match cause.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ControlError::Lost,
        _ => ControlError::Io {
            path: path.to_owned(),
            cause,
        },
    }
}

fn malformed(error: &serde_json::Error) -> ControlError {
    ControlError::Malformed {
        cause: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_reply_cannot_control_the_terminal() {
        let line = br#"{"reply":"failed","message":"\u001b]0;owned\u0007 \u009b2J","exit":1}"#;
        let Reply::Failed { message, .. } = parse(line).unwrap() else {
            panic!("another reply");
        };
        assert_eq!(message, r"\u{1b}]0;owned\u{7} \u{9b}2J");
        let line = br#"{"reply":"done","outcome":"status","from":"\u001b[2J","to":"valid"}"#;
        let Reply::Done(Outcome::Status { from, .. }) = parse(line).unwrap() else {
            panic!("another outcome");
        };
        assert_eq!(from, r"\u{1b}[2J");
    }

    #[test]
    fn a_file_in_the_place_of_the_socket_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orderfeed.db.sock");
        remove_socket(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        let refused = remove_socket(&path).unwrap_err().to_string();
        assert!(refused.contains("not a socket"), "{refused}");
        drop(std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap());
        remove_socket(&dir.path().join("socket")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
