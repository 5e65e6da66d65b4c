//! Encrypted connections: certificates of a private authority, MySQL's own, none at all, and a server that changes its mind.

use std::path::{Path, PathBuf};
use std::time::Instant;

use orderfeed::commerce::examination::Protection;
use orderfeed::commerce::mysql::MysqlSource;
use orderfeed::commerce::source::{Cursors, Source, SourceError};
use orderfeed::config::{MysqlConfig, MysqlTls, TlsMode};

use super::trouble::refusal;
use crate::support::database::Database;
use crate::support::on_each_server;
use crate::support::product::Product;
use crate::support::server::Server;

on_each_server! {
    certificates_are_verified_as_configured,
    encryption_is_used_as_soon_as_the_server_offers_or_requires_it,
}

/// The files of a private authority and of a server's certificate.
struct Certificates {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    /// Writes a certificate for `names`.
    fn write(dir: &Path, names: &[&str]) -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(params, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let certificate = rcgen::CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let write = |name: &str, text: String| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        Self {
            ca: write("ca.pem", authority.pem()),
            certificate: write("cert.pem", certificate.pem()),
            key: write("key.pem", key.serialize_pem()),
        }
    }

    /// Returns the options of a server that offers encryption.
    fn options(&self) -> Vec<String> {
        [("ca", &self.ca), ("cert", &self.certificate), ("key", &self.key)]
            .map(|(name, path)| format!("--ssl-{name}={}", path.display()))
            .into()
    }
}

/// Returns the options of a server that offers no encryption.
fn unencrypted(product: Product) -> Vec<String> {
    let option = match product {
        Product::MariaDb => "--skip-ssl",
        Product::MySql => "--tls-version=",
    };
    vec![option.to_owned()]
}

fn with(database: &Database, mode: TlsMode, ca_file: Option<&Path>) -> MysqlConfig {
    MysqlConfig {
        tls: MysqlTls {
            mode,
            ca_file: ca_file.map(Path::to_owned),
        },
        ..super::settings(database, "admin")
    }
}

/// Returns the protection of a connection with these settings, which must succeed.
async fn protection(settings: MysqlConfig) -> Protection {
    let source = MysqlSource::new(settings).unwrap();
    let found = source.examine(&Cursors::default()).await.unwrap();
    found.protection.unwrap()
}

async fn certificates_are_verified_as_configured(shared: &Server) {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let named = Certificates::write(dirs[0].path(), &["127.0.0.1", "localhost"]);
    let nameless = Certificates::write(dirs[1].path(), &[]);
    let server = Server::start_with(shared.product(), &named.options());
    let database = server.database().await;
    let ca = Some(named.ca.as_path());
    for (mode, ca, expected) in [
        (TlsMode::Disabled, None, Protection::Local { is_encrypted: false }),
        (TlsMode::Preferred, None, Protection::Local { is_encrypted: true }),
        (TlsMode::Preferred, ca, Protection::Verified),
        (TlsMode::Required, ca, Protection::Verified),
        (TlsMode::VerifyCa, ca, Protection::Verified),
    ] {
        assert_eq!(
            protection(with(&database, mode, ca)).await,
            expected,
            "{mode:?} {ca:?}"
        );
    }
    let other = Some(nameless.ca.as_path());
    for (mode, ca) in [
        (TlsMode::Required, None),
        (TlsMode::Required, other),
        (TlsMode::Preferred, other),
        (TlsMode::VerifyCa, other),
    ] {
        let text = refusal(with(&database, mode, ca)).await;
        let remedy = "set source.mysql.tls.ca_file to the certificate of the authority";
        assert!(
            text.contains("encrypted connection")
                && text.contains(remedy)
                && text.contains("issued by \"CN="),
            "{mode:?} {ca:?}: {text}"
        );
    }
    let missing = with(
        &database,
        TlsMode::Required,
        Some(Path::new("/nonexistent/ca.pem")),
    );
    let missing = MysqlSource::new(missing).unwrap_err().to_string();
    assert!(missing.contains("source.mysql.tls.ca_file"), "{missing}");
    an_account_that_requires_a_certificate_is_explained(&database).await;

    server.stop();
    server.set_options(&nameless.options());
    server.start_again();
    let text = refusal(with(&database, TlsMode::Required, other)).await;
    assert!(text.contains("source.mysql.tls.mode = \"verify-ca\""), "{text}");
    let verified = with(&database, TlsMode::VerifyCa, other);
    assert_eq!(protection(verified).await, Protection::Verified);
    refusal(with(&database, TlsMode::VerifyCa, ca)).await;
}

async fn an_account_that_requires_a_certificate_is_explained(database: &Database) {
    let user = database.read_only_account().await;
    database
        .execute(&format!("ALTER USER '{user}'@'%' REQUIRE X509"))
        .await;
    let text = refusal(super::settings(database, &user)).await;
    assert!(text.contains("change that to REQUIRE SSL"), "{text}");
    database
        .execute(&format!("ALTER USER '{user}'@'%' REQUIRE SSL"))
        .await;
    let plain = MysqlConfig {
        tls: MysqlTls {
            mode: TlsMode::Disabled,
            ca_file: None,
        },
        ..super::settings(database, &user)
    };
    let text = refusal(plain).await;
    assert!(
        text.contains("set source.mysql.tls.mode = \"required\""),
        "{text}"
    );
    let encrypted = MysqlSource::new(super::settings(database, &user)).unwrap();
    encrypted.describe().await.unwrap();
}

/// MySQL's automatic certificate, in the directory of its data.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_automatic_certificates_of_mysql_can_be_verified() {
    crate::support::on_server(Product::MySql, async |server: &'static Server| {
        let database = server.database().await;
        let ca = server.dir().join("data/ca.pem");
        let text = refusal(with(&database, TlsMode::Required, Some(&ca))).await;
        assert!(text.contains("\"verify-ca\""), "{text}");
        let verified = with(&database, TlsMode::VerifyCa, Some(&ca));
        assert_eq!(protection(verified).await, Protection::Verified);
    })
    .await;
}

async fn encryption_is_used_as_soon_as_the_server_offers_or_requires_it(shared: &Server) {
    let product = shared.product();
    let server = Server::start_with(product, &unencrypted(product));
    let database = server.database().await;
    let url = database.url("admin").replace("127.0.0.1", super::REMOTE);
    let remote = |mode| MysqlConfig {
        url: url.parse().unwrap(),
        ..with(&database, mode, None)
    };
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::write(dir.path(), &["127.0.0.1"]);
    for settings in [
        remote(TlsMode::Preferred),
        with(&database, TlsMode::Required, None),
        with(&database, TlsMode::Preferred, Some(&certificates.ca)),
    ] {
        let text = refusal(settings).await;
        let remedy = "set source.mysql.tls.mode = \"disabled\"";
        assert!(text.contains("does not offer") && text.contains(remedy), "{text}");
    }
    assert_eq!(protection(remote(TlsMode::Disabled)).await, Protection::Plain);
    let source = MysqlSource::new(with(&database, TlsMode::Preferred, None)).unwrap();
    let protection = async || {
        let found = source.examine(&Cursors::default()).await;
        found.map(|found| found.protection)
    };
    let local = |is_encrypted| Some(Protection::Local { is_encrypted });
    assert_eq!(protection().await.unwrap(), local(false));

    server.stop();
    let mut options = certificates.options();
    options.push("--require-secure-transport=ON".to_owned());
    server.set_options(&options);
    server.start_again();
    let deadline = Instant::now() + super::PATIENCE;
    let recovered = loop {
        match protection().await {
            // The connections of the old server are lost first.
            Err(SourceError::Unavailable { .. }) if Instant::now() < deadline => {}
            other => break other.unwrap(),
        }
    };
    assert_eq!(recovered, local(true));
    let text = refusal(with(&database, TlsMode::Disabled, None)).await;
    assert!(
        text.contains("set source.mysql.tls.mode = \"required\""),
        "{text}"
    );
}
