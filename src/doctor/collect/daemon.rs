//! Facts about the daemon: the holder of the lock, the control socket, `/healthz`, limits of the process.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::config::{AdminListen, Config};
use crate::daemon::control::socket;
use crate::daemon::control::{ControlError, Outcome, Request};
use crate::doctor::collect::detached::detached;
use crate::doctor::daemon::{DaemonFacts, Holder, NoAnswer};
use crate::ops::status::DaemonStatus;
use crate::store::StoreLock;
use orderfeed_model::clock::Clock;

const LIMIT: Duration = Duration::from_secs(5);
const MAX_ANSWER: u64 = 4096;

pub(super) async fn collect(config: &Config, clock: &Clock) -> DaemonFacts {
    let path = config.store.path.clone();
    let late = || Err("no answer from the file system".to_owned());
    let found = detached(LIMIT, move || holder(&path)).await.unwrap_or_else(late);
    let (holder, unknown_holder) = match found {
        Ok(holder) => (holder, None),
        Err(why) => (None, Some(why)),
    };
    let mut facts = DaemonFacts {
        now: clock.now(),
        holder,
        unknown_holder,
        ..DaemonFacts::default()
    };
    let Some(holder) = facts.holder.as_ref().filter(|holder| holder.is_daemon()) else {
        return facts;
    };
    // Only of a daemon: another command that holds the lock has no socket and no limits worth checking.
    facts.open_files = holder.pid.and_then(open_files);
    let (answer, health) = tokio::join!(
        timeout(LIMIT, ping(config)),
        timeout(LIMIT, health(&config.admin.listen)),
    );
    facts.answer = answer.ok();
    facts.health = health.ok();
    facts
}

fn holder(store: &Path) -> Result<Option<Holder>, String> {
    let Some(holder) = StoreLock::try_holder(store).map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let status = DaemonStatus::of(Some(&holder));
    Ok(Some(Holder {
        command: status.command.unwrap_or_default(),
        pid: status.pid,
        since: StoreLock::since(store),
    }))
}

async fn ping(config: &Config) -> Result<String, NoAnswer> {
    match socket::send_request(&config.store.path, &Request::Ping, |_| ()).await {
        Ok(Outcome::Pong { version, .. }) => Ok(version),
        Ok(_) => Err(NoAnswer::Failed(
            "its answer belongs to another request".to_owned(),
        )),
        Err(error @ ControlError::NotPermitted { .. }) => Err(NoAnswer::NotPermitted(error.to_string())),
        Err(error) => Err(NoAnswer::Failed(error.to_string())),
    }
}

async fn health(listen: &AdminListen) -> Result<(u16, String), String> {
    let failed = |error: io::Error| format!("the admin endpoint {listen} cannot be reached: {error}");
    match listen {
        AdminListen::Off => Err("admin.listen is off, so there is no /healthz".to_owned()),
        AdminListen::Tcp(address) => {
            let stream = TcpStream::connect(address).await.map_err(failed)?;
            get(stream).await.map_err(failed)
        }
        AdminListen::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(failed)?;
            get(stream).await.map_err(failed)
        }
    }
}

/// Requests `/healthz`. With HTTP/1.0 the answer ends with the connection, so no HTTP client is needed.
async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<(u16, String)> {
    stream
        .write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut bytes).await?;
    let answer = String::from_utf8_lossy(&bytes);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status =
        status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))?;
    Ok((status, body.to_owned()))
}

fn open_files(pid: u32) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    match line.split_whitespace().nth(3)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn status_and_body_are_read() {
        let (ours, mut theirs) = tokio::io::duplex(256);
        theirs
            .write_all(b"HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\nhangs: x\n")
            .await
            .unwrap();
        drop(tokio::spawn(async move {
            let mut request = [0; 64];
            let _ = theirs.read(&mut request).await;
        }));
        assert_eq!(get(ours).await.unwrap(), (503, "hangs: x\n".to_owned()));
    }

    #[test]
    fn the_limit_of_this_process_is_read() {
        assert!(open_files(std::process::id()).is_some());
    }
}
