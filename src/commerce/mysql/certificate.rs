//! The issuer of the certificate that the database presents, for the message about one that is not trusted.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tls;

/// Longest time for the handshake.
const LIMIT: Duration = Duration::from_secs(3);
/// The request to continue with TLS: packet 1 with the capabilities PROTOCOL_41, SSL and SECURE_CONNECTION, a packet limit of
/// 16 MiB, and utf8mb4 (MySQL's protocol, SSLRequest).
const SSL_REQUEST: [u8; 36] = {
    let mut packet = [0; 36];
    (packet[0], packet[3]) = (32, 1);
    packet[5] = 0x8A;
    (packet[11], packet[12]) = (1, 45);
    packet
};

/// Returns the issuer of the certificate that the server at `host` and `port` presents.
pub(crate) async fn issuer(host: &str, port: u16) -> Option<String> {
    let handshake = async {
        let mut stream = TcpStream::connect((host, port)).await.ok()?;
        let mut header = [0; 4];
        stream.read_exact(&mut header).await.ok()?;
        let length = u64::from(u32::from_le_bytes([header[0], header[1], header[2], 0]));
        tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink())
            .await
            .ok()?;
        stream.write_all(&SSL_REQUEST).await.ok()?;
        tls::presented_issuer(stream, host).await
    };
    timeout(LIMIT, handshake).await.ok()?
}
