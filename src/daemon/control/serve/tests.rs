//! Requests over a real socket.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::daemon::control::serve::*;
use crate::daemon::control::socket::{send_request, socket_path};
use crate::daemon::control::{ControlError, Progress, Rebuilt, ReindexOptions};
use crate::daemon::requests::error::RequestError;
use crate::store::StoreLock;
use crate::store::views::ViewMode;

/// Answers a ping, fails a reset, floods on a mode change, and reindexes until it is released.
#[derive(Default)]
struct Scripted {
    begun: Notify,
    release: Notify,
    dropped: AtomicUsize,
}

struct CountDrop<'a>(&'a AtomicUsize);

impl Drop for CountDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Scripted {
    async fn handle(&self, request: Request, replies: mpsc::Sender<Reply>) -> anyhow::Result<Outcome> {
        let _counted = CountDrop(&self.dropped);
        match request {
            Request::Reset => Err(RequestError::NeverStarted.into()),
            Request::SetMode { mode } => {
                for done in 0..1000 {
                    let progress = Progress {
                        done,
                        total: 1000,
                        events: 0,
                    };
                    let _ = replies.send(Reply::Progress(progress)).await;
                }
                Ok(Outcome::Mode { from: mode, to: mode })
            }
            Request::Reindex(_) => {
                self.begun.notify_one();
                self.release.notified().await;
                Ok(Outcome::Reindexed(Rebuilt::default()))
            }
            _ => Ok(Outcome::Invalidated),
        }
    }
}

struct Daemon {
    dir: tempfile::TempDir,
    handler: Arc<Scripted>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    _lock: StoreLock,
}

impl Daemon {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("a.db");
        let lock = StoreLock::acquire(&store, "test").unwrap();
        let socket = ControlSocket::listen(&store, &lock).unwrap();
        let (handler, stop) = (Arc::new(Scripted::default()), CancellationToken::new());
        let scripted = Arc::clone(&handler);
        let handle = move |request, replies| {
            let scripted = Arc::clone(&scripted);
            async move { scripted.handle(request, replies).await }
        };
        let serving = tokio::spawn(serve(socket, handle, |_| 69, stop.clone()));
        Self {
            dir,
            handler,
            stop,
            serving,
            _lock: lock,
        }
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("a.db")
    }

    async fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = UnixStream::connect(socket_path(&self.store()).unwrap())
            .await
            .unwrap();
        // The daemon may refuse and close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

#[tokio::test]
async fn a_request_is_answered_with_its_progress_and_its_outcome() {
    let daemon = Daemon::start();
    let mut seen = Vec::new();
    let request = Request::SetMode {
        mode: ViewMode::Schedule,
    };
    let outcome = send_request(&daemon.store(), &request, |reply| seen.push(reply))
        .await
        .unwrap();
    assert_eq!(
        outcome,
        Outcome::Mode {
            from: ViewMode::Schedule,
            to: ViewMode::Schedule
        }
    );
    assert_eq!(seen.len(), 1000);
}

#[tokio::test]
async fn a_failure_carries_its_message_and_exit_code() {
    let daemon = Daemon::start();
    let error = send_request(&daemon.store(), &Request::Reset, |_| {})
        .await
        .unwrap_err();
    let ControlError::Failed { message, exit } = error else {
        panic!("{error}");
    };
    assert_eq!((message, exit), (RequestError::NeverStarted.to_string(), 69));
}

#[tokio::test]
async fn malformed_and_endless_input_is_answered() {
    let daemon = Daemon::start();
    let long = vec![b'x'; MAX_LINE + 10];
    let inputs: [(&[u8], &str); 4] = [
        (b"hello\n", "does not understand"),
        (b"{\"request\":\"fly\"}\n", "restart it after an upgrade"),
        (b"{\"request\":\"ping\"", "ended early"),
        (&long, "too long"),
    ];
    for (input, expected) in inputs {
        let Reply::Failed { message, exit } = daemon.raw(input).await else {
            panic!("accepted {expected}");
        };
        assert!(message.contains(expected), "{message}");
        assert_eq!(exit, EXIT_USAGE);
    }
}

#[tokio::test]
async fn clients_beyond_the_limit_are_refused() {
    let daemon = Daemon::start();
    let path = socket_path(&daemon.store()).unwrap();
    let mut silent = Vec::new();
    for _ in 0..MAX_CLIENTS {
        silent.push(UnixStream::connect(&path).await.unwrap());
    }
    let error = send_request(&daemon.store(), &Request::Ping, |_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("busy with other commands"), "{error}");
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_end_the_work() {
    let daemon = Daemon::start();
    let mut stream = UnixStream::connect(socket_path(&daemon.store()).unwrap())
        .await
        .unwrap();
    let mut line = serde_json::to_vec(&Request::Reindex(ReindexOptions::default())).unwrap();
    line.push(b'\n');
    stream.write_all(&line).await.unwrap();
    daemon.handler.begun.notified().await;
    drop(stream);
    send_request(&daemon.store(), &Request::Ping, |_| {})
        .await
        .unwrap();
    assert_eq!(
        daemon.handler.dropped.load(Ordering::SeqCst),
        1,
        "only the ping has ended"
    );
    daemon.handler.release.notify_one();
    daemon.stop.cancel();
    daemon.serving.await.unwrap();
}

#[tokio::test]
async fn a_stop_ends_running_work_with_an_answer_and_removes_the_socket() {
    let daemon = Daemon::start();
    let store = daemon.store();
    let request = Request::Reindex(ReindexOptions::default());
    let asking = send_request(&store, &request, |_| {});
    let stopping = async {
        daemon.handler.begun.notified().await;
        daemon.stop.cancel();
    };
    let (answer, ()) = tokio::join!(asking, stopping);
    assert!(
        answer
            .unwrap_err()
            .to_string()
            .contains("its next start continues the work")
    );
    daemon.serving.await.unwrap();
    assert_eq!(daemon.handler.dropped.load(Ordering::SeqCst), 1);
    assert!(matches!(
        send_request(&store, &Request::Ping, |_| {}).await,
        Err(ControlError::NoDaemon)
    ));
    assert!(!socket_path(&store).unwrap().exists());
}

#[tokio::test]
async fn the_socket_is_private_and_replaces_one_that_was_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("a.db");
    let lock = StoreLock::acquire(&store, "test").unwrap();
    let path = socket_path(&store).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(matches!(
        send_request(&store, &Request::Ping, |_| {}).await,
        Err(ControlError::NoDaemon)
    ));
    let socket = ControlSocket::listen(&store, &lock).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_refused_with_the_remedy() {
    let store = PathBuf::from(format!("/tmp/{}/a.db", "x".repeat(100)));
    let refusal = socket_path(&store).unwrap_err().to_string();
    assert!(refusal.contains("choose a shorter store.path"), "{refusal}");
}
