//! What systemd is told (`sd_notify(3)`): ready, reloading, stopping, one line of status, and signs of life.
//!
//! The protocol is one datagram of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names, so there is no library for
//! it here. Without that variable nobody listens and every call does nothing.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A full queue of the service manager holds up a message this long, and then it is lost. The next one says the same.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest status line that is sent.
const LONGEST_STATUS: usize = 400;

/// The way to the service manager. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    manager: Option<Arc<Manager>>,
}

#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
    status: Mutex<String>,
}

impl Notifier {
    /// To whom the environment names: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` if it is meant for this process. A socket that
    /// cannot be used is said in the log, and the daemon runs without.
    pub fn from_environment() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Self::default();
        };
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && for_us);
        Self::connect(&address, watchdog.map(Duration::from_micros)).unwrap_or_else(|error| {
            tracing::warn!(
                log_code = "OF02-11",
                %error,
                "NOTIFY_SOCKET cannot be used; the service manager is told nothing",
            );
            Self::default()
        })
    }

    /// To the socket at `address`: a path, or `@` and an abstract name.
    ///
    /// # Errors
    /// If it is neither, or there can be no socket.
    pub fn connect(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(Path::new(address))?,
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "neither a path nor @name",
                ));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        let manager = Manager {
            socket,
            address,
            watchdog,
            status: Mutex::default(),
        };
        Ok(Self {
            manager: Some(Arc::new(manager)),
        })
    }

    /// Whether anybody listens.
    pub fn is_connected(&self) -> bool {
        self.manager.is_some()
    }

    /// Within which time signs of life are expected; `None` if nobody expects any.
    pub fn watchdog(&self) -> Option<Duration> {
        self.manager.as_ref()?.watchdog
    }

    /// The start, or a reload, is over.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// A reload begins. The time on the monotonic clock is what `Type=notify-reload` needs beside the word.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let usec = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }

    /// The stop begins.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// A sign of life.
    pub fn watchdog_ping(&self) {
        self.send("WATCHDOG=1");
    }

    /// What is under way takes longer than the unit allows; another `more` from now.
    pub fn extend_timeout(&self, more: Duration) {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", more.as_micros()));
    }

    /// The line that `systemctl status` shows. Sent only if it is another one than before.
    pub fn status(&self, line: &str) {
        let Some(manager) = &self.manager else { return };
        let line: String = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(LONGEST_STATUS)
            .collect();
        let mut before = manager.status.lock().unwrap_or_else(PoisonError::into_inner);
        if *before != line {
            self.send(&format!("STATUS={line}"));
            *before = line;
        }
    }

    fn send(&self, message: &str) {
        let Some(manager) = &self.manager else { return };
        if let Err(error) = manager.socket.send_to_addr(message.as_bytes(), &manager.address) {
            tracing::debug!(%error, "The service manager could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_one_datagram_and_a_status_is_sent_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::connect(path.as_os_str(), None).unwrap();
        notifier.status("all is\nwell");
        notifier.status("all is\nwell");
        notifier.reloading();
        let mut buffer = [0; 200];
        let mut next = || {
            let length = manager.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        assert_eq!(next(), "STATUS=all is well");
        let reloading = next();
        let usec = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(usec.parse::<u64>().unwrap() > 0);
    }

    #[test]
    fn an_abstract_name_is_an_address_and_a_word_is_none() {
        let name = format!("orderfeed-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let notifier = Notifier::connect(OsStr::new(&format!("@{name}")), None).unwrap();
        notifier.ready();
        let mut buffer = [0; 20];
        assert_eq!(manager.recv(&mut buffer).unwrap(), "READY=1".len());
        assert!(Notifier::connect(OsStr::new("notify"), None).is_err());
    }

    #[test]
    fn nobody_listens_and_nothing_happens() {
        let notifier = Notifier::default();
        notifier.ready();
        notifier.status("unheard");
        assert!(!notifier.is_connected() && notifier.watchdog().is_none());
    }
}
