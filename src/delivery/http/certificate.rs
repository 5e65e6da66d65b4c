//! The issuer of the certificate that a peer presents, for the message about one that is not trusted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;
use x509_parser::parse_x509_certificate;

/// Longest time for the handshake.
const LIMIT: Duration = Duration::from_secs(3);

/// Returns the issuer of the certificate that the host of `url` presents. The handshake ends there: nothing is sent.
pub(crate) async fn issuer(url: &Url) -> Option<String> {
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let recorder = Arc::new(Recorder::default());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = builder
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let handshake = async {
        let stream = TcpStream::connect((host.as_str(), url.port_or_known_default()?))
            .await
            .ok()?;
        let name = ServerName::try_from(host.clone()).ok()?;
        // Fails, because the recorder accepts no certificate.
        let _ = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        Some(())
    };
    timeout(LIMIT, handshake).await.ok()??;
    let certificate = recorder.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let (_, certificate) = parse_x509_certificate(&certificate).ok()?;
    Some(certificate.issuer().to_string())
}

/// Keeps the certificate and refuses it.
#[derive(Debug, Default)]
struct Recorder(Mutex<Option<CertificateDer<'static>>>);

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = end_entity.clone().into_owned();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(presented);
        Err(Error::General("the certificate was recorded".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("no certificate is accepted".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls12_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
