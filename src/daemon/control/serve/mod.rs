//! The daemon's side of the control socket. Clients, request sizes and waiting times are bounded, so that no client can
//! hold up the daemon or another client.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::daemon::control::socket::ControlSocket;
use crate::daemon::control::{MAX_LINE, Outcome, Reply, Request};
use crate::ops::sentence::sentence;

/// Most clients at the same time; further ones are refused.
const MAX_CLIENTS: usize = 16;
/// Time that a client has to send its request, and to take each reply.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
const REPLY_QUEUE: usize = 64;
/// Pause after a failed accept (such as too many open files), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Exit codes of the refusals that the server itself makes, as in `cli::exit`.
const EXIT_USAGE: u8 = 2;
const EXIT_TEMPFAIL: u8 = 75;

const STOPPING: &str = "the daemon is stopping; its next start continues the work";

/// Returns the exit code of an error for the command that sent the request; `cli::exit` has the table.
pub type ExitCodeOf = fn(&anyhow::Error) -> u8;

/// Serves requests until `stop`, then fails those that still run and removes the socket's file.
///
/// `handle` is called once per request. It sends progress to the channel, which closes when the client disconnects;
/// dropping its future must be safe at any await point.
pub async fn serve<H, F>(socket: ControlSocket, handle: H, exit_code: ExitCodeOf, stop: CancellationToken)
where
    H: Fn(Request, mpsc::Sender<Reply>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = anyhow::Result<Outcome>> + Send,
{
    let slots = Arc::new(Semaphore::new(MAX_CLIENTS));
    let clients = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = socket.listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(
                    log_code = "OF02-08",
                    %error,
                    "The control socket could not accept a connection; repeat the command",
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            // Answered, instead of left waiting, so that a command can report it.
            clients.spawn(refuse(stream));
            continue;
        };
        let (handle, stop) = (handle.clone(), stop.clone());
        clients.spawn(async move {
            serve_client(stream, handle, exit_code, &stop).await;
            drop(slot);
        });
    }
    // Running requests have seen `stop`; their clients still get an answer.
    clients.close();
    clients.wait().await;
}

async fn refuse(stream: UnixStream) {
    let (_, mut writer) = stream.into_split();
    let busy = "the daemon is busy with other commands; try again in a moment";
    write_reply(&mut writer, &failed(busy, EXIT_TEMPFAIL)).await;
}

async fn serve_client<F: Future<Output = anyhow::Result<Outcome>>>(
    stream: UnixStream,
    handle: impl Fn(Request, mpsc::Sender<Reply>) -> F,
    exit_code: ExitCodeOf,
    stop: &CancellationToken,
) {
    let (reader, mut writer) = stream.into_split();
    let request = tokio::select! {
        () = stop.cancelled() => Err(failed(STOPPING, EXIT_TEMPFAIL)),
        request = read_request(reader) => request,
    };
    let request = match request {
        Ok(request) => request,
        Err(refusal) => {
            write_reply(&mut writer, &refusal).await;
            return;
        }
    };
    let (replies, queue) = mpsc::channel(REPLY_QUEUE);
    let finished = CancellationToken::new();
    let forwarding = forward(&mut writer, queue, &finished);
    let working = async {
        // Dropped with the future, also if the request panics.
        let _finished = finished.clone().drop_guard();
        tokio::select! {
            () = stop.cancelled() => failed(STOPPING, EXIT_TEMPFAIL),
            // Boxed: the future of the largest request would make that of every client as large.
            result = Box::pin(handle(request, replies)) => match result {
                Ok(outcome) => Reply::Done(outcome),
                Err(error) => failed(&sentence(&error), exit_code(&error)),
            },
        }
    };
    let ((), last) = tokio::join!(forwarding, working);
    write_reply(&mut writer, &last).await;
}

async fn read_request(reader: OwnedReadHalf) -> Result<Request, Reply> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader).take(MAX_LINE as u64);
    match timeout(CLIENT_TIMEOUT, reader.read_until(b'\n', &mut line)).await {
        Ok(Ok(_)) if line.last() == Some(&b'\n') => {}
        Ok(Ok(_)) if line.len() >= MAX_LINE => return Err(failed("the request is too long", EXIT_USAGE)),
        Ok(_) => return Err(failed("the request ended early", EXIT_USAGE)),
        Err(_) => return Err(failed("the request did not arrive in time", EXIT_USAGE)),
    }
    serde_json::from_slice(&line).map_err(|error| {
        let version = env!("CARGO_PKG_VERSION");
        let message = format!(
            "the daemon (version {version}) does not understand the request: {error}; restart it after an upgrade"
        );
        failed(&message, EXIT_USAGE)
    })
}

/// Writes replies until the work is finished. Drops the remaining ones once the client has disconnected or is too slow.
async fn forward(
    writer: &mut OwnedWriteHalf,
    mut queue: mpsc::Receiver<Reply>,
    finished: &CancellationToken,
) {
    loop {
        let reply = tokio::select! {
            // Replies first: those sent before the end must precede the last reply.
            biased;
            reply = queue.recv() => reply,
            () = finished.cancelled() => None,
        };
        match reply {
            Some(reply) if write_reply(writer, &reply).await => {}
            _ => return,
        }
    }
}

/// Returns false if the client has disconnected or does not read.
async fn write_reply(writer: &mut OwnedWriteHalf, reply: &Reply) -> bool {
    let Ok(mut line) = serde_json::to_vec(reply) else {
        return false;
    };
    line.push(b'\n');
    matches!(timeout(CLIENT_TIMEOUT, writer.write_all(&line)).await, Ok(Ok(())))
}

fn failed(message: &str, exit: u8) -> Reply {
    Reply::Failed {
        message: message.to_owned(),
        exit,
    }
}

#[cfg(test)]
mod tests;
