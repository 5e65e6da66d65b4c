//! A network that fails: a TCP proxy that stops forwarding without closing anything, and an address that drops packets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Interval at which a connection checks whether the proxy was stopped.
const STEP: Duration = Duration::from_millis(20);

/// A proxy on a loopback port. Its threads end with the test process.
pub struct Proxy {
    port: u16,
    stalled: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts a proxy in front of a port.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let stalled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stalled);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (
                        from.try_clone().expect("this process may open files"),
                        to.try_clone().expect("this process may open files"),
                    );
                    let flag = Arc::clone(&flag);
                    std::thread::spawn(move || forward(from, to, &flag));
                }
            }
        });
        Self { port, stalled }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops forwarding. Connections stay open, and new ones are accepted.
    pub fn stall(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, stalled: &AtomicBool) {
    from.set_read_timeout(Some(STEP)).expect("STEP is not zero");
    let mut buffer = [0; 16 * 1024];
    loop {
        if stalled.load(Ordering::Relaxed) {
            std::thread::sleep(STEP);
            continue;
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// A loopback port that answers no packet of a new connection: its queue of connections is full.
pub struct BlackHole {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let mut waiting = Vec::new();
        // Until the kernel drops the first packet of the next one.
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            waiting.push(stream);
        }
        Self {
            listener,
            _waiting: waiting,
        }
    }

    pub fn port(&self) -> u16 {
        self.listener
            .local_addr()
            .expect("a bound socket has an address")
            .port()
    }
}
