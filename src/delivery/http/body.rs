//! The body of an answer, read within bounds.

use reqwest::Response;

/// Most of an answer's body that is read; the rest is left to the closed connection.
const BODY_CAP: usize = 64 * 1024;

/// What is left of a body after reading at most 64 KiB of it.
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    /// `false` if the connection broke.
    pub(crate) complete: bool,
}

/// Reads a body, but never more than its cap.
pub(crate) async fn read_capped(mut response: Response) -> Read {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = BODY_CAP - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if bytes.len() == BODY_CAP {
                    return Read {
                        bytes,
                        complete: true,
                    };
                }
            }
            Ok(None) => {
                return Read {
                    bytes,
                    complete: true,
                };
            }
            Err(_) => {
                return Read {
                    bytes,
                    complete: false,
                };
            }
        }
    }
}
