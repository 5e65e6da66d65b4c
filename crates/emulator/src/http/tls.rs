//! HTTPS for the data listeners. At start it generates a certificate authority, and a second, untrusted one for
//! handshakes that must fail.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::faults::script::TlsFault;

/// Names in the server certificates: this machine, the hosts that the Web SDK calls (for a client that resolves them to
/// this machine), and `edge.test`, a reserved name for requests through a proxy.
const NAMES: [&str; 6] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "edge.adobedc.net",
    "adobedc.demdex.net",
    "edge.test",
];

/// Both identities of the listeners.
pub(crate) struct Tls {
    good: TlsAcceptor,
    bad: TlsAcceptor,
    ca_pem: String,
    pin: String,
}

impl Tls {
    /// Generates both authorities and a server certificate of each, for [`NAMES`].
    pub(crate) fn generate() -> Result<Self, TlsError> {
        let good = identity("orderfeed emulator")?;
        let bad = identity("orderfeed emulator, untrusted")?;
        Ok(Self {
            good: good.acceptor,
            bad: bad.acceptor,
            ca_pem: good.ca_pem,
            pin: good.pin,
        })
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

    /// Returns the SHA-256 of the server certificate's public key, in Base64.
    pub(crate) fn pin(&self) -> &str {
        &self.pin
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

/// A server certificate with the authority that signed it.
struct ServerIdentity {
    acceptor: TlsAcceptor,
    ca_pem: String,
    pin: String,
}

fn identity(name: &str) -> Result<ServerIdentity, TlsError> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, name);
    ca.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let mut leaf = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let leaf_key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&leaf_key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));

    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(ServerIdentity {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        ca_pem,
        pin: BASE64_STANDARD.encode(Sha256::digest(leaf_key.subject_public_key_info())),
    })
}
