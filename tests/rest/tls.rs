//! A shop whose certificate is signed by a private authority.

use std::net::SocketAddr;
use std::sync::Arc;

use orderfeed_mock_commerce::MockConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::fixture::RestFixture;

/// A server that ends TLS in front of another one. It ends with its runtime.
struct Front {
    address: SocketAddr,
    /// The certificate of the authority that signed its own.
    authority: String,
}

impl Front {
    async fn start(target: SocketAddr) -> Self {
        let (authority, acceptor) = identity();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, acceptor.clone(), target));
            }
        });
        Self { address, authority }
    }
}

async fn serve(client: TcpStream, acceptor: TlsAcceptor, target: SocketAddr) {
    // A client that does not trust the certificate ends the handshake.
    let Ok(mut client) = acceptor.accept(client).await else {
        return;
    };
    let mut server = TcpStream::connect(target).await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// Makes an authority, and a certificate of it for loopback.
fn identity() -> (String, TlsAcceptor) {
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (authority, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_authority_is_trusted_by_its_file_alone() {
    let mut rest = RestFixture::start(30, MockConfig::default()).await;
    let target = rest.mock.url().trim_start_matches("http://").parse().unwrap();
    let front = Front::start(target).await;
    let origin = format!("https://{}", front.address);
    rest.mock
        .configure(|config| config.seen_as = Some(origin.clone()));
    let layer = format!("[source.rest]\nurl = \"{origin}/rest/all/V1\"\nca_file = \"authority.pem\"\n");
    rest.installation().layer("tls", &layer);

    let (stranger, _) = identity();
    rest.installation().write("authority.pem", &stranger);
    let refused = rest.installation().run(&["run", "--dry-run"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    for words in ["is not trusted", "set source.rest.ca_file"] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    assert_eq!(
        rest.mock.ledger().total(),
        0,
        "no request, and no credential with it"
    );

    rest.installation().write("authority.pem", &front.authority);
    let daemon = rest.installation().start();
    rest.wait_until_served();
    for _ in 0..5 {
        rest.shop.act();
    }
    rest.wait_until_served();
    rest.assert_whole(daemon);
}
