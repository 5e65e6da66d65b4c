//! A web server of a test's own: the shop and every host that must not be called, over HTTPS with a certificate of its own.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A file that the site serves.
#[derive(Clone, Debug)]
pub struct Page {
    pub kind: &'static str,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
}

impl Page {
    pub fn html(body: impl Into<String>) -> Self {
        Self::of("text/html; charset=utf-8", body.into().into_bytes())
    }

    pub fn script(body: impl Into<String>) -> Self {
        Self::of("text/javascript; charset=utf-8", body.into().into_bytes())
    }

    fn of(kind: &'static str, body: Vec<u8>) -> Self {
        Self {
            kind,
            body,
            headers: Vec::new(),
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A request that the site received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub host: String,
    pub path: String,
}

#[derive(Debug, Default)]
struct Content {
    pages: BTreeMap<String, Page>,
    hits: Vec<Hit>,
}

/// A running site. It ends with the runtime of its test.
#[derive(Debug)]
pub struct Site {
    pub address: SocketAddr,
    /// SHA-256 of the certificate's public key, in Base64.
    pub pin: String,
    content: Arc<Mutex<Content>>,
}

impl Site {
    pub async fn start() -> Self {
        let (acceptor, pin) = certificate();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let content = Arc::<Mutex<Content>>::default();
        let served = Arc::clone(&content);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, content) = (acceptor.clone(), Arc::clone(&served));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&content, &request)));
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // The browser closes its connections when it ends.
                    drop(connection.await);
                });
            }
        });
        Self {
            address,
            pin,
            content,
        }
    }

    /// Serves a page at this path of every host.
    pub fn serve(&self, path: &str, page: Page) {
        self.content.lock().unwrap().pages.insert(path.to_owned(), page);
    }

    /// Serves the files of a directory, with those below it, at a path that ends in a slash.
    pub fn serve_directory(&self, path: &str, directory: &Path) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap().path();
            let name = entry.file_name().unwrap().to_str().unwrap();
            match entry.is_dir() {
                true => self.serve_directory(&format!("{path}{name}/"), &entry),
                false => {
                    let kind = match name.rsplit('.').next() {
                        Some("js") => "text/javascript; charset=utf-8",
                        _ => "text/plain; charset=utf-8",
                    };
                    self.serve(
                        &format!("{path}{name}"),
                        Page::of(kind, std::fs::read(&entry).unwrap()),
                    );
                }
            }
        }
    }

    /// Returns the requests that arrived, without those for an icon.
    pub fn hits(&self) -> Vec<Hit> {
        let hits = self.content.lock().unwrap().hits.clone();
        hits.into_iter()
            .filter(|hit| hit.path != "/favicon.ico")
            .collect()
    }
}

fn answer(content: &Mutex<Content>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    let mut content = content.lock().unwrap();
    content.hits.push(Hit {
        host: host.unwrap_or_default().to_owned(),
        path: path.clone(),
    });
    let Some(page) = content.pages.get(&path) else {
        let mut missing = Response::new(Full::from("there is no such page"));
        *missing.status_mut() = hyper::StatusCode::NOT_FOUND;
        return missing;
    };
    let mut response = Response::new(Full::from(page.body.clone()));
    let headers = response.headers_mut();
    headers.insert("content-type", page.kind.parse().unwrap());
    for (name, value) in &page.headers {
        headers.insert(*name, value.parse().unwrap());
    }
    response
}

fn certificate() -> (TlsAcceptor, String) {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let pin = BASE64_STANDARD.encode(Sha256::digest(key.subject_public_key_info()));
    (TlsAcceptor::from(Arc::new(config)), pin)
}
