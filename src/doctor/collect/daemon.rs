//! Asking the daemon: who holds the lock, the control socket, `/healthz`, its limits.

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
use crate::doctor::daemon::{Facts, Holder, Silence};
use crate::ops::status::DaemonStatus;
use crate::store::StoreLock;
use orderfeed_model::clock::Clock;

const LIMIT: Duration = Duration::from_secs(5);
const LONGEST_ANSWER: u64 = 4096;

pub(super) async fn look(config: &Config, clock: &Clock) -> Facts {
    let path = config.store.path.clone();
    let late = || Err("no answer from the file system".to_owned());
    let looked = detached(LIMIT, move || holder(&path)).await.unwrap_or_else(late);
    let (holder, unseen) = match looked {
        Ok(holder) => (holder, None),
        Err(why) => (None, Some(why)),
    };
    let mut facts = Facts {
        now: clock.now(),
        holder,
        unseen,
        ..Facts::default()
    };
    let Some(holder) = facts.holder.as_ref().filter(|holder| holder.is_daemon()) else {
        return facts;
    };
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

async fn ping(config: &Config) -> Result<String, Silence> {
    match socket::send_request(&config.store.path, &Request::Ping, |_| ()).await {
        Ok(Outcome::Pong { version, .. }) => Ok(version),
        Ok(_) => Err(Silence::Dead("its answer is none to this question".to_owned())),
        Err(error @ ControlError::NotPermitted { .. }) => Err(Silence::NotPermitted(error.to_string())),
        Err(error) => Err(Silence::Dead(error.to_string())),
    }
}

async fn health(listen: &AdminListen) -> Result<(u16, String), String> {
    let failed = |error: io::Error| format!("the admin endpoint {listen} cannot be asked: {error}");
    match listen {
        AdminListen::Off => Err("admin.listen is off, so there is no /healthz to ask".to_owned()),
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

/// One request of HTTP/1.0, which ends with the connection: no client is needed for it.
async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<(u16, String)> {
    stream
        .write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut bytes = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut bytes).await?;
    let answer = String::from_utf8_lossy(&bytes);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "this is no HTTP"))?;
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
    async fn what_is_no_http_is_told() {
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
    fn this_process_has_a_limit() {
        assert!(open_files(std::process::id()).is_some());
    }
}
