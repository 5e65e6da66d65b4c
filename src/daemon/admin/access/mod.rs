//! Access to the web pages: the viewer of a request, sessions, logins, and the notices that follow actions.
//!
//! An operator is either a peer on the Unix socket with the uid of root or of the daemon, or a session that began with the
//! password. Everyone else reads pages without personal data and changes nothing. Loopback is not authentication: every user of
//! the machine can connect.
//!
//! | module | content |
//! |---|---|
//! | [`guard`] | what every request passes: host, viewer, origin of changes, headers of the answer |
//! | [`login`] | the login page, login and logout |
//! | [`password`], [`password_file`] | the hash, its file |
//! | [`sessions`], [`cookie`] | sessions in memory |
//! | [`attempts`] | the limit on wrong passwords |
//! | [`hosts`], [`origin`] | names of this host, origin of changes |
//! | [`notices`] | outcomes of actions for the following page |

pub(crate) mod attempts;
pub(crate) mod cookie;
pub(crate) mod guard;
pub(crate) mod hosts;
pub(crate) mod login;
pub(crate) mod notices;
pub(crate) mod origin;
pub mod password;
pub(crate) mod password_file;
pub(crate) mod sessions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use crate::config::Config;
use crate::daemon::admin::access::attempts::Attempts;
use crate::daemon::admin::access::notices::{Notices, OperatorKey};
use crate::daemon::admin::access::password_file::PasswordFile;
use crate::daemon::admin::access::sessions::Sessions;
use crate::web::{Frame, Login, Notice, Viewer};
use orderfeed_model::clock::Clock;

/// Name of an operator who logged in with the password.
const PASSWORD_OPERATOR: &str = "admin";
/// Longest wait for the logins before this one.
const LOGIN_QUEUE: Duration = Duration::from_secs(5);
/// Headers that only a proxy adds. Through it the peer is not the reader.
const FORWARDED: [&str; 5] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
];

/// The other side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Network,
    /// A process on the Unix socket, with its uid as the kernel reports it.
    Local(u32),
}

/// The reader of a request. `operator` is present if they may act.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) operator: Option<OperatorKey>,
}

impl Reader {
    /// Returns the operator's name for pages and the log.
    pub(crate) fn viewer(&self) -> Viewer {
        match self.operator {
            None => Viewer::Anonymous,
            Some(OperatorKey::Session(_)) => Viewer::Operator {
                name: PASSWORD_OPERATOR.to_owned(),
            },
            Some(OperatorKey::Uid(uid)) => Viewer::Operator {
                name: format!("uid {uid}"),
            },
        }
    }
}

/// The outcome of an attempt to log in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LoginResult {
    /// The token of the session.
    Session(String),
    Wrong,
    /// Too many attempts; the next one is allowed after this time.
    Wait(Duration),
    NotSetUp,
}

#[derive(Debug)]
pub(crate) struct Access {
    clock: Clock,
    config: watch::Receiver<Arc<Config>>,
    password: Mutex<PasswordFile>,
    sessions: Mutex<Sessions>,
    notices: Mutex<Notices>,
    attempts: Mutex<Attempts>,
    /// One hash at a time, because each takes 19 MiB.
    hashing: Arc<Semaphore>,
}

impl Access {
    pub(crate) fn new(config: watch::Receiver<Arc<Config>>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            config,
            password: Mutex::default(),
            sessions: Mutex::default(),
            notices: Mutex::default(),
            attempts: Mutex::default(),
            hashing: Arc::new(Semaphore::new(1)),
        })
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.borrow().clone()
    }

    /// Returns the reader of a request.
    pub(crate) fn reader(&self, peer: Peer, headers: &HeaderMap) -> Reader {
        // Before the cookies: a new password ends every session.
        self.password_hash();
        let (mut sessions, now) = (lock(&self.sessions), Instant::now());
        let session = cookie::tokens(headers).find_map(|token| sessions.find(token, now));
        let of_socket = || match peer {
            Peer::Local(uid) if is_operator(uid) && !is_forwarded(headers) => Some(OperatorKey::Uid(uid)),
            Peer::Local(_) | Peer::Network => None,
        };
        Reader {
            operator: session.map(OperatorKey::Session).or_else(of_socket),
        }
    }

    /// Returns what every page needs. `shows_notice` is true for a page that a person sees as a whole.
    pub(crate) fn frame(&self, reader: &Reader, path: &str, shows_notice: bool) -> Frame {
        let login = match reader.operator {
            Some(OperatorKey::Session(_)) => Login::Active { can_log_out: true },
            Some(OperatorKey::Uid(_)) => Login::Active { can_log_out: false },
            None if self.password_hash().is_some() => Login::Possible,
            None => Login::NotSetUp,
        };
        let key = reader.operator.filter(|_| shows_notice);
        let notice = key.and_then(|key| lock(&self.notices).take(&key, Instant::now()));
        Frame {
            viewer: reader.viewer(),
            now: self.clock.now(),
            path: path.to_owned(),
            notice,
            login,
            may_edit: reader.operator.is_some() && self.config.borrow().admin.edit_settings,
        }
    }

    /// Keeps a notice for the operator's next page.
    pub(crate) fn notify(&self, reader: &Reader, text: String, failed: bool) {
        if let Some(key) = reader.operator {
            lock(&self.notices).put(key, Notice { text, failed }, Instant::now());
        }
    }

    /// Checks a password, and begins a session if it is right.
    pub(crate) async fn log_in(&self, password: String) -> LoginResult {
        let queued = timeout(LOGIN_QUEUE, Arc::clone(&self.hashing).acquire_owned()).await;
        let Ok(Ok(turn)) = queued else {
            return LoginResult::Wait(LOGIN_QUEUE);
        };
        // After the wait, so that attempts at the same time count one by one.
        if let Some(pause) = lock(&self.attempts).pause(Instant::now()) {
            return LoginResult::Wait(pause);
        }
        let hash = self.password_hash();
        // Counted as a failure until it is known to be right, also if the client disconnects meanwhile.
        let failures = lock(&self.attempts).failed(Instant::now());
        let known = hash.clone();
        let verifying = tokio::task::spawn_blocking(move || {
            // Kept until the memory is free, whether or not the client still waits.
            let _turn = turn;
            password::verify(&password, known.as_deref())
        });
        let is_right = verifying.await.unwrap_or(false);
        if hash.is_none() {
            return LoginResult::NotSetUp;
        }
        // The password may have been replaced since.
        if !is_right || self.password_hash() != hash {
            let pause = lock(&self.attempts).pause(Instant::now()).unwrap_or_default();
            tracing::warn!(
                log_code = "OF09-04",
                failures,
                pause_s = pause.as_secs(),
                "A login to the web pages was refused: the password is wrong",
            );
            return LoginResult::Wrong;
        }
        lock(&self.attempts).succeeded();
        match lock(&self.sessions).begin(Instant::now()) {
            Some(token) => {
                tracing::info!(
                    log_code = "OF09-03",
                    who = PASSWORD_OPERATOR,
                    "An operator logged in to the web pages"
                );
                LoginResult::Session(token)
            }
            None => LoginResult::Wait(LOGIN_QUEUE),
        }
    }

    pub(crate) fn log_out(&self, reader: &Reader) {
        if let Some(OperatorKey::Session(id)) = reader.operator {
            lock(&self.sessions).end(&id);
        }
    }

    /// Returns the hash in force. A changed file ends every session.
    fn password_hash(&self) -> Option<String> {
        let path = self.config.borrow().admin_password_file();
        let mut password = lock(&self.password);
        if password.refresh(&path) {
            lock(&self.sessions).end_all();
        }
        password.hash()
    }
}

/// Returns true for root and for the daemon's own user.
fn is_operator(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(*name))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
