//! HTTPS for the data listeners. At start it generates a certificate authority, and a second, untrusted one for
//! handshakes that must fail.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::faults::script::TlsFault;

/// Both identities of the listeners.
pub(crate) struct Tls {
    good: TlsAcceptor,
    bad: TlsAcceptor,
    ca_pem: String,
}

impl Tls {
    /// Generates both authorities and a server certificate of each, for `localhost`, 127.0.0.1, ::1 and
    /// `edge.test`, a reserved name for requests through a proxy.
    pub(crate) fn generate() -> Result<Self, TlsError> {
        let (good, ca_pem) = identity("orderfeed emulator")?;
        let (bad, _) = identity("orderfeed emulator, untrusted")?;
        Ok(Self { good, bad, ca_pem })
    }

    /// Returns the acceptor for a handshake.
    pub(crate) fn acceptor(&self, fault: Option<TlsFault>) -> &TlsAcceptor {
        match fault {
            Some(TlsFault::BadCert) => &self.bad,
            None => &self.good,
        }
    }

    /// Returns the certificate of the trusted authority.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

/// An error of setting up TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("could not make the emulator's certificates")]
    Certificate(#[from] rcgen::Error),
    #[error("could not set up TLS for the emulator")]
    Config(#[from] rustls::Error),
}

fn identity(name: &str) -> Result<(TlsAcceptor, String), TlsError> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, name);
    ca.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let names = ["localhost", "127.0.0.1", "::1", "edge.test"].map(str::to_owned);
    let mut leaf = CertificateParams::new(names.to_vec())?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let leaf_key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&leaf_key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));

    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), ca_pem))
}
