//! The admin endpoint of a daemon, over its Unix socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

#[derive(Debug)]
pub struct Page {
    pub head: String,
    pub body: String,
}

/// Requests a page. Returns `None` while nothing answers.
pub fn get(socket: &Path, page: &str, accept: &str) -> Option<Page> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let request =
        format!("GET {page} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some(Page {
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
