//! The daemon's side of the control socket: bounded in requests, in bytes and in patience. Nothing that a client does
//! or leaves undone holds up the daemon or another client.

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
use crate::daemon::control::{MAX_LINE, Reply, Request};
use crate::daemon::requests::work::ControlHandler;
use crate::ops::sentence::sentence;

/// Conversations at the same time; more are told to come back.
const MAX_CONVERSATIONS: usize = 16;
/// How long a client may take to say what it wants, and to take a reply.
const PATIENCE: Duration = Duration::from_secs(10);
/// Replies that may wait for a slow client.
const REPLY_QUEUE: usize = 64;
/// Pause after a failed accept (such as too many open files), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The exit codes of refusals that the server itself makes, as in `cli::exit`.
const EXIT_USAGE: u8 = 2;
const EXIT_TEMPFAIL: u8 = 75;

/// Which exit code an error means for the command that asked; `cli::exit` has the one table.
pub type ExitCodeOf = fn(&anyhow::Error) -> u8;

/// Answers requests until `stop`. Then conversations that still run are told so, and the socket's file is removed.
pub async fn serve(
    socket: ControlSocket,
    handler: Arc<dyn ControlHandler>,
    exit_code: ExitCodeOf,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_CONVERSATIONS));
    let conversations = TaskTracker::new();
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
                    "The control socket refused a client; commands may have to be repeated",
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            conversations.spawn(turn_away(stream));
            continue;
        };
        let (handler, stop) = (Arc::clone(&handler), stop.clone());
        conversations.spawn(async move {
            converse(stream, handler.as_ref(), exit_code, &stop).await;
            drop(place);
        });
    }
    conversations.close();
    conversations.wait().await;
}

async fn turn_away(stream: UnixStream) {
    let (_, mut writer) = stream.into_split();
    let busy = "the daemon is busy with other commands; try again in a moment";
    write_reply(&mut writer, &failed(busy, EXIT_TEMPFAIL)).await;
}

async fn converse(
    stream: UnixStream,
    handler: &dyn ControlHandler,
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
        let _finished = finished.clone().drop_guard();
        tokio::select! {
            () = stop.cancelled() => failed(STOPPING, EXIT_TEMPFAIL),
            result = handler.handle(&request, replies) => match result {
                Ok(outcome) => Reply::Done(outcome),
                Err(error) => failed(&sentence(&error), exit_code(&error)),
            },
        }
    };
    let ((), last) = tokio::join!(forwarding, working);
    write_reply(&mut writer, &last).await;
}

const STOPPING: &str = "the daemon is stopping; what was begun goes on at its next start";

async fn read_request(reader: OwnedReadHalf) -> Result<Request, Reply> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader).take(MAX_LINE as u64);
    match timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await {
        Ok(Ok(_)) if line.last() == Some(&b'\n') => {}
        Ok(Ok(_)) if line.len() >= MAX_LINE => return Err(failed("the request is too long", EXIT_USAGE)),
        Ok(_) => return Err(failed("the request ended early", EXIT_USAGE)),
        Err(_) => return Err(failed("the request did not come in time", EXIT_USAGE)),
    }
    serde_json::from_slice(&line).map_err(|error| {
        let version = env!("CARGO_PKG_VERSION");
        let message = format!(
            "the daemon (version {version}) does not understand the request: {error}; restart it after an upgrade"
        );
        failed(&message, EXIT_USAGE)
    })
}

/// Writes replies until the work is finished. Once the client is gone or too slow, the rest is dropped.
async fn forward(
    writer: &mut OwnedWriteHalf,
    mut queue: mpsc::Receiver<Reply>,
    finished: &CancellationToken,
) {
    loop {
        let reply = tokio::select! {
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

/// `false` if the client is gone or does not read.
async fn write_reply(writer: &mut OwnedWriteHalf, reply: &Reply) -> bool {
    let Ok(mut line) = serde_json::to_vec(reply) else {
        return false;
    };
    line.push(b'\n');
    matches!(timeout(PATIENCE, writer.write_all(&line)).await, Ok(Ok(())))
}

fn failed(message: &str, exit: u8) -> Reply {
    Reply::Failed {
        message: message.to_owned(),
        exit,
    }
}

#[cfg(test)]
mod tests;
