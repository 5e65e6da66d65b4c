//! The control socket: a Unix socket beside the store. Its path, the listener, and the client.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::daemon::control::{ControlError, MAX_LINE, Outcome, Reply, Request};
use crate::store::StoreLock;
use crate::store::file::beside;

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
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
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
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns `<store>.sock`, or an error if that is too long for a socket.
pub fn socket_path(store: &Path) -> Result<PathBuf, ControlError> {
    let path = beside(store, ".sock");
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
        match serde_json::from_slice(&line).map_err(|error| malformed(&error))? {
            Reply::Done(outcome) => return Ok(outcome),
            Reply::Failed { message, exit } => return Err(ControlError::Failed { message, exit }),
            reply @ (Reply::Progress(_) | Reply::Line { .. }) => on_reply(reply),
        }
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
