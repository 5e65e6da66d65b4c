//! The client for the edge and the token service: its certificate authorities and its proxies.

use std::path::PathBuf;

use reqwest::{Certificate, Client};

use crate::config::Config;
use crate::delivery::http::proxy;
use crate::http::client_builder;

/// The reason why no client can be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("edge.ca_file {path} cannot be read: {cause}; give a PEM file that the daemon's user can read")]
    CaFile { path: PathBuf, cause: std::io::Error },
    #[error("edge.ca_file {path} holds no PEM certificate; give the certificate authority's certificate")]
    CaContent { path: PathBuf },
    #[error(
        "no HTTP client: {cause}; install the system's certificate authorities (ca-certificates) or set edge.ca_file"
    )]
    Build { cause: String },
}

/// Builds a client for the edge and the token service, with the limits of `[delivery]` and the certificates of `[edge]`.
///
/// # Errors
/// If `edge.ca_file` is no readable PEM file, or https is needed and the system has no certificate authorities.
pub fn client(config: &Config) -> Result<Client, ClientError> {
    let delivery = &config.delivery;
    let mut builder = client_builder(delivery.connect_timeout.get(), delivery.timeout.get());
    if let Some(authorities) = authorities(config)? {
        builder = builder.tls_certs_only(authorities);
    }
    let failed = |error: reqwest::Error| ClientError::Build {
        cause: describe(&error.without_url()),
    };
    if let Some(proxy) = &config.edge.proxy {
        builder = builder.proxy(proxy::for_client(&config.edge, proxy).map_err(failed)?);
    }
    builder.build().map_err(failed)
}

/// Returns the certificate authorities to trust instead of the system's.
fn authorities(config: &Config) -> Result<Option<Vec<Certificate>>, ClientError> {
    let Some(path) = &config.edge.ca_file else {
        let https = [&config.edge.url, &config.edge.oauth.token_url]
            .iter()
            .any(|url| url.scheme() == "https");
        // None at all without https, so that a machine without authorities can use a local edge.
        return Ok((!https).then(Vec::new));
    };
    let pem = std::fs::read(path).map_err(|cause| ClientError::CaFile {
        path: path.clone(),
        cause,
    })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(Some(found)),
        _ => Err(ClientError::CaContent { path: path.clone() }),
    }
}

/// Returns an error with its causes, which `Display` leaves out. The caller has removed the URL.
pub(crate) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    crate::delivery::http::problem::plain(&crate::ops::sentence::with_causes(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn loopback_needs_no_certificate_authorities() {
        let mut config = Config::default();
        config.edge.url = Url::parse("http://127.0.0.1:1").unwrap();
        config.edge.oauth.token_url = Url::parse("http://127.0.0.1:1/ims/token/v3").unwrap();
        assert_eq!(authorities(&config).unwrap().map(|list| list.len()), Some(0));
        assert!(client(&config).is_ok());
    }

    #[test]
    fn a_ca_file_without_certificates_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let mut config = Config::default();
        config.edge.ca_file = Some(path.clone());
        assert!(
            client(&config)
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
        std::fs::write(&path, "nothing").unwrap();
        assert!(
            client(&config)
                .unwrap_err()
                .to_string()
                .contains("no PEM certificate")
        );
    }
}
