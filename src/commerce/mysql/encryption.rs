//! Encryption of the connections.
//!
//! The mode `preferred` encrypts, but without a CA file it accepts any certificate, as MySQL's own client does. Only a
//! connection that stays on this host may do without encryption, if the server offers none. Encryption is tried again after a
//! refusal, after a lost connection, and every few minutes, because the server may offer or require it by then.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql_async::SslOpts;
use tokio::time::Instant;

use crate::commerce::examination::Protection;
use crate::commerce::source::SourceError;
use crate::config::{MysqlConfig, TlsMode};

/// Interval at which encryption is tried again while the server offers none.
const RETRY: Duration = Duration::from_secs(300);

/// The configured encryption, and its state.
#[derive(Debug)]
pub(crate) struct Encryption {
    mode: TlsMode,
    ca_file: Option<PathBuf>,
    is_socket: bool,
    /// True if the connection does not leave this host.
    is_local: bool,
    /// Time at which the server offered no encryption; `None` while connections are encrypted.
    plain_since: Mutex<Option<Instant>>,
}

impl Encryption {
    /// # Errors
    /// `Misconfigured` if the CA file cannot be read.
    pub(crate) fn new(settings: &MysqlConfig) -> Result<Self, SourceError> {
        let (url, ca_file) = (&settings.url, settings.tls.ca_file.clone());
        if let Some(file) = &ca_file {
            // The driver would report a missing file only as a failed connection.
            std::fs::File::open(file).map_err(|cause| unreadable(file, &cause))?;
        }
        Ok(Self {
            mode: settings.tls.mode_in_force(),
            ca_file,
            is_socket: url.socket.is_some(),
            is_local: url.socket.is_some() || is_loopback(&url.host),
            plain_since: Mutex::new(None),
        })
    }

    /// Returns true if connections are in plain text.
    pub(crate) fn is_plain(&self) -> bool {
        self.mode == TlsMode::Disabled || self.is_socket || self.plain_since().is_some()
    }

    pub(crate) fn protection(&self) -> Protection {
        match self.mode {
            TlsMode::VerifyCa | TlsMode::Required if !self.is_socket => Protection::Verified,
            _ if self.is_local => Protection::Local {
                is_encrypted: !self.is_plain(),
            },
            TlsMode::Disabled => Protection::Plain,
            _ => Protection::Unverified,
        }
    }

    /// Records that the server offers no encryption. Returns false if connections must not do without.
    pub(crate) fn fall_back(&self) -> bool {
        let may = self.mode == TlsMode::Preferred && self.is_local;
        if may {
            *self.plain_since() = Some(Instant::now());
        }
        may
    }

    /// Ends the use of plain text, if it was only a fallback, so that the next connection is encrypted if possible. Returns
    /// true if it was in use.
    pub(crate) fn retry(&self) -> bool {
        self.plain_since().take().is_some()
    }

    /// As [`Encryption::retry`], if the last attempt is a while ago.
    pub(crate) fn retry_if_due(&self) -> bool {
        let is_due = self.plain_since().is_some_and(|since| since.elapsed() >= RETRY);
        is_due && self.retry()
    }

    /// Returns the options of the driver; `None` for plain text.
    pub(crate) fn options(&self) -> Option<SslOpts> {
        if self.is_plain() {
            return None;
        }
        // Fails if another part of the process installed a provider before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let opts = match &self.ca_file {
            // Only the named authorities count: the public ones must not vouch for an internal host.
            Some(file) => SslOpts::default()
                .with_root_certs(vec![file.clone().into()])
                .with_disable_built_in_roots(true),
            None => SslOpts::default(),
        };
        Some(match self.mode {
            TlsMode::Required => opts,
            // The driver accepts a certificate for another name if the error's text contains "NotValidForName". The text holds
            // the expected name instead, and is written only after the chain of the certificate was verified.
            TlsMode::VerifyCa => opts
                .with_danger_skip_domain_validation(true)
                .with_danger_tls_hostname_override(Some("NotValidForName")),
            TlsMode::Preferred | TlsMode::Disabled => opts
                .with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
        })
    }

    fn plain_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.plain_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unreadable(file: &Path, cause: &std::io::Error) -> SourceError {
    SourceError::Misconfigured {
        message: format!(
            "source.mysql.tls.ca_file = {:?} cannot be read: {cause}",
            file.display().to_string()
        ),
        remedy: "name the PEM file with the authority's certificate, readable by this account".into(),
    }
}

/// Returns true if connections to this host stay on this host.
fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(url: &str, mode: TlsMode) -> Encryption {
        let mut settings = crate::config::Config::default().source.mysql;
        settings.url = url.parse().unwrap();
        settings.tls.mode = mode;
        Encryption::new(&settings).unwrap()
    }

    const PLAIN: Protection = Protection::Local { is_encrypted: false };

    #[test]
    fn only_a_preferred_connection_within_the_host_falls_back_to_plain_text() {
        for (url, mode, expected) in [
            ("mysql://f@127.0.0.1/shop", TlsMode::Preferred, PLAIN),
            ("mysql://f@[::1]/shop", TlsMode::Preferred, PLAIN),
            ("mysql://f@LocalHost/shop", TlsMode::Preferred, PLAIN),
            (
                "mysql://f@127.0.0.1/shop",
                TlsMode::Required,
                Protection::Verified,
            ),
            (
                "mysql://f@db.example/shop",
                TlsMode::Preferred,
                Protection::Unverified,
            ),
            (
                "mysql://f@127.example/shop",
                TlsMode::Preferred,
                Protection::Unverified,
            ),
            ("mysql://f@db.example/shop", TlsMode::Disabled, Protection::Plain),
            ("mysql://f@db/shop?socket=/s", TlsMode::Required, PLAIN),
        ] {
            let encryption = encryption(url, mode);
            encryption.fall_back();
            assert_eq!(encryption.protection(), expected, "{url} {mode:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fallback_ends_after_a_while_and_after_a_refusal() {
        let encryption = encryption("mysql://f@127.0.0.1/shop", TlsMode::Preferred);
        assert!(encryption.fall_back() && !encryption.retry_if_due() && encryption.is_plain());
        tokio::time::advance(RETRY).await;
        assert!(encryption.retry_if_due() && !encryption.is_plain());
        assert!(encryption.fall_back() && encryption.retry() && !encryption.is_plain());
        assert!(!encryption.retry(), "nothing to retry");
    }
}
