//! The issuer of the certificate that a peer presents, for the message about one that is not trusted.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::tls;

/// Longest time for the handshake.
const LIMIT: Duration = Duration::from_secs(3);

/// Returns the issuer of the certificate that the host of `url` presents.
pub(crate) async fn issuer(url: &Url) -> Option<String> {
    let host = url.host_str()?.trim_matches(['[', ']']);
    let port = url.port_or_known_default()?;
    let handshake = async {
        let stream = TcpStream::connect((host, port)).await.ok()?;
        tls::presented_issuer(stream, host).await
    };
    timeout(LIMIT, handshake).await.ok()?
}
