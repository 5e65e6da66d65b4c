//! A proxy that opens connections by CONNECT, to one target whatever host is asked for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// User and password that [`ProxyMode::Login`] accepts. They must never be logged.
pub const LOGIN: &str = "feed:s3cr3t-of-the-proxy";
/// The same in Base64.
const BASIC: &str = "ZmVlZDpzM2NyM3Qtb2YtdGhlLXByb3h5";

/// The answer of the proxy to CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    Open,
    /// 407 without [`LOGIN`].
    Login,
    /// 403.
    Refuse,
}

/// A running proxy. It ends with its runtime.
#[derive(Clone, Debug)]
pub struct ConnectProxy {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ConnectProxy {
    /// Starts a proxy to `target` on a free port.
    pub async fn start(target: SocketAddr, mode: ProxyMode) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("loopback has a free port");
        let proxy = Self {
            address: listener.local_addr().expect("a bound socket has an address"),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&proxy.asked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, target, mode, Arc::clone(&asked)));
            }
        });
        proxy
    }

    /// Returns the hosts and ports that it was asked to connect to.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder of this lock panics").clone()
    }
}

async fn serve(
    mut client: TcpStream,
    target: SocketAddr,
    mode: ProxyMode,
    asked: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head);
    let host = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    asked
        .lock()
        .expect("no holder of this lock panics")
        .push(host.to_owned());
    let refusal = match mode {
        ProxyMode::Refuse => Some("403 Forbidden"),
        ProxyMode::Login if !head.contains(&format!("Basic {BASIC}\r\n")) => {
            Some("407 Proxy Authentication Required")
        }
        ProxyMode::Open | ProxyMode::Login => None,
    };
    if let Some(status) = refusal {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        client.write_all(answer.as_bytes()).await.ok()?;
        return None;
    }
    let mut server = TcpStream::connect(target).await.ok()?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(())
}
