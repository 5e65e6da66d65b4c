//! Notifies the service manager (`sd_notify(3)`): ready, reloading, stopping, one line of status, and watchdog pings.
//!
//! The protocol is one datagram of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names. Without that variable every call
//! does nothing.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Longest wait for a service manager whose queue is full. Then the message is lost; the next one has the same content.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);
/// Characters of a status line that are sent at most.
const MAX_STATUS: usize = 400;

/// The connection to the service manager. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    manager: Option<Arc<Manager>>,
}

#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
    /// The last status line that was sent.
    status: Mutex<String>,
}

impl Notifier {
    /// Connects to the service manager of the environment: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` if it is meant for this
    /// process. If the socket cannot be used, the daemon runs without notifications.
    pub fn from_environment() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Self::default();
        };
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && is_ours);
        Self::connect(&address, watchdog.map(Duration::from_micros)).unwrap_or_else(|error| {
            tracing::warn!(
                log_code = "OF02-11",
                %error,
                "NOTIFY_SOCKET cannot be used; the service manager is not notified",
            );
            Self::default()
        })
    }

    /// Connects to the socket at `address`: a path, or `@` and an abstract name.
    pub fn connect(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(Path::new(address))?,
            _ => return Err(io::Error::other("neither a path nor @name")),
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

    pub fn is_connected(&self) -> bool {
        self.manager.is_some()
    }

    /// Returns the interval within which the service manager expects watchdog pings, if it expects any.
    pub fn watchdog(&self) -> Option<Duration> {
        self.manager.as_ref()?.watchdog
    }

    /// Reports that the start, or a reload, is complete.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// Reports that a reload starts.
    pub fn reloading(&self) {
        // `Type=notify-reload` also requires the time, to match the answer to its request.
        let now = clock_gettime(ClockId::Monotonic);
        let usec = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }

    /// Reports that the shutdown starts.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    pub fn watchdog_ping(&self) {
        self.send("WATCHDOG=1");
    }

    /// Requests that the start or stop in progress may last `more` from now.
    pub fn extend_timeout(&self, more: Duration) {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", more.as_micros()));
    }

    /// Sets the line that `systemctl status` shows, if it differs from the one before.
    pub fn status(&self, line: &str) {
        let Some(manager) = &self.manager else { return };
        // A line break would start another assignment of the protocol.
        let line: String = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MAX_STATUS)
            .collect();
        // Locked while it is sent, so that two callers do not send their lines in the other order.
        let mut before = manager.status.lock().unwrap_or_else(PoisonError::into_inner);
        if *before != line {
            self.send(&format!("STATUS={line}"));
            *before = line;
        }
    }

    fn send(&self, message: &str) {
        let Some(manager) = &self.manager else { return };
        if let Err(error) = manager.socket.send_to_addr(message.as_bytes(), &manager.address) {
            tracing::debug!(%error, "The service manager could not be notified");
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
    fn an_abstract_name_is_an_address_and_a_bare_word_is_not() {
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
    fn without_a_service_manager_every_call_does_nothing() {
        let notifier = Notifier::default();
        notifier.ready();
        notifier.status("unused");
        assert!(!notifier.is_connected() && notifier.watchdog().is_none());
    }
}
