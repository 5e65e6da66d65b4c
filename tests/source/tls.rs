//! Encrypted connections to a MariaDB with a certificate of a private authority.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use orderfeed::commerce::mysql::MysqlSource;
use orderfeed::commerce::source::{Source, SourceError};
use orderfeed::config::{MysqlConfig, MysqlTls, TlsMode};

use crate::support::mariadb::Server;

/// A shell that kills the server when the test closes the pipe, however the test ends.
const GUARD: &str = r#""$@" >/dev/null 2>&1 & server=$!; read -r _; kill -9 $server; wait $server"#;

/// A server that refuses every login over the encrypted connection, because the account does not exist.
struct Encrypted {
    dir: tempfile::TempDir,
    port: u16,
    guard: Child,
}

impl Encrypted {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (ca, certificate, key) = certificates(dir.path());
        let as_root = rustix::process::geteuid().is_root().then_some("--user=root");
        let installed = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ])
            .arg(format!("--datadir={}/data", dir.path().display()))
            .args(as_root)
            .output()
            .unwrap();
        assert!(
            installed.status.success(),
            "{}",
            String::from_utf8_lossy(&installed.stderr)
        );
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let path = dir.path().display();
        let guard = Command::new("sh")
            .args([
                "-c",
                GUARD,
                "guard",
                "mariadbd",
                "--no-defaults",
                "--bind-address=127.0.0.1",
                "--skip-log-bin",
            ])
            .args([
                format!("--datadir={path}/data"),
                format!("--socket={path}/sock"),
                format!("--pid-file={path}/pid"),
            ])
            .args([
                format!("--tmpdir={path}"),
                format!("--port={port}"),
                "--innodb-buffer-pool-size=32M".to_owned(),
            ])
            .arg(format!("--ssl-ca={}", ca.display()))
            .arg(format!("--ssl-cert={}", certificate.display()))
            .arg(format!("--ssl-key={}", key.display()))
            .args(as_root)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { dir, port, guard }
    }

    fn settings(&self, mode: TlsMode, ca_file: Option<PathBuf>) -> MysqlConfig {
        MysqlConfig {
            tls: MysqlTls { mode, ca_file },
            ..super::at(format!("mysql://nobody@127.0.0.1:{}/shop", self.port))
        }
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn certificates(dir: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(params, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let certificate = rcgen::CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    (
        write("ca.pem", authority.pem()),
        write("cert.pem", certificate.pem()),
        write("key.pem", key.serialize_pem()),
    )
}

/// Returns the error of a connection attempt once the server is up: access denied, if the connection itself
/// succeeded.
async fn answer(settings: MysqlConfig) -> String {
    let deadline = Instant::now() + super::PATIENCE;
    loop {
        match MysqlSource::new(settings.clone()).unwrap().describe().await {
            Err(SourceError::Unavailable { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other.unwrap_err().to_string(),
        }
    }
}

#[tokio::test]
async fn a_required_certificate_is_verified_and_a_preferred_one_is_used() {
    let server = Encrypted::start();
    let ca = Some(server.dir.path().join("ca.pem"));
    for settings in [
        server.settings(TlsMode::Disabled, None),
        server.settings(TlsMode::Preferred, None),
        server.settings(TlsMode::Preferred, ca.clone()),
        server.settings(TlsMode::Required, ca),
    ] {
        let text = answer(settings.clone()).await;
        assert!(text.contains("1045"), "{settings:?}: {text}");
    }
    let unknown = answer(server.settings(TlsMode::Required, None)).await;
    assert!(
        unknown.contains("encrypted connection") && unknown.contains("source.mysql.tls.ca_file"),
        "{unknown}"
    );
    let missing = server.settings(TlsMode::Required, Some("/nonexistent/ca.pem".into()));
    let missing = MysqlSource::new(missing).unwrap_err().to_string();
    assert!(missing.contains("source.mysql.tls.ca_file"), "{missing}");
}

#[tokio::test]
async fn a_server_without_encryption_is_refused_only_where_it_is_required() {
    let database = Server::shared().database().await;
    let with = |mode| {
        MysqlSource::new(MysqlConfig {
            tls: MysqlTls { mode, ca_file: None },
            ..super::settings(&database, "admin")
        })
        .unwrap()
    };
    with(TlsMode::Preferred).describe().await.unwrap();
    let refused = with(TlsMode::Required).describe().await.unwrap_err().to_string();
    assert!(
        refused.contains("does not offer encrypted connections"),
        "{refused}"
    );
}
