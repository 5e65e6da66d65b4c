//! One page of the shop, fetched as a browser would ask for it.

use url::Url;

use crate::config::Config;
use crate::delivery::http::client::{ClientError, client, describe};

/// The largest page that is read.
const LONGEST: usize = 4 * 1024 * 1024;

/// A page with the headers that matter.
#[derive(Clone, Debug, Default)]
pub struct FetchedPage {
    /// The values of the headers `Content-Security-Policy`.
    pub policies: Vec<String>,
    pub html: String,
}

/// The reason for which a page was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{url} could not be fetched: {cause}")]
    Failed { url: Url, cause: String },
    #[error("{url} answered {status}")]
    Status { url: Url, status: u16 },
    #[error("{url} redirects to {target}; check that address")]
    Redirected { url: Url, target: String },
    #[error("{url} is larger than {LONGEST} bytes")]
    TooLarge { url: Url },
}

/// Fetches a page, without following a redirect: a page of another address may have another policy.
///
/// # Errors
/// The page does not answer, redirects, answers with an error, or is too large.
pub async fn fetch(config: &Config, url: &Url) -> Result<FetchedPage, PageError> {
    let failed = |error: reqwest::Error| PageError::Failed {
        url: url.clone(),
        cause: describe(&error.without_url()),
    };
    let request = client(config)?.get(url.clone()).header("Accept", "text/html");
    let mut response = request.send().await.map_err(failed)?;
    let header = |name: &str| -> Vec<String> {
        let values = response.headers().get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
            .collect()
    };
    let status = response.status();
    if let Some(target) = header("location").pop().filter(|_| status.is_redirection()) {
        return Err(PageError::Redirected {
            url: url.clone(),
            target,
        });
    }
    if !status.is_success() {
        return Err(PageError::Status {
            url: url.clone(),
            status: status.as_u16(),
        });
    }
    let policies = header("content-security-policy");
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(PageError::TooLarge { url: url.clone() });
        }
    }
    let html = String::from_utf8_lossy(&body).into_owned();
    Ok(FetchedPage { policies, html })
}
