//! Tests of viewers, sessions and logins together.

use std::path::PathBuf;

use axum::http::HeaderValue;
use axum::http::header::COOKIE;

use crate::daemon::admin::access::*;
use orderfeed_model::clock::UtcMillis;

const PASSWORD: &str = "correct horse";

struct Ground {
    _dir: tempfile::TempDir,
    _config: watch::Sender<Arc<Config>>,
    file: PathBuf,
    access: Arc<Access>,
}

impl Ground {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        let mut config = Config::default();
        config.admin.password_file = Some(file.clone());
        let (sender, config) = watch::channel(Arc::new(config));
        Self {
            _dir: dir,
            _config: sender,
            file,
            access: Access::new(config, Clock::manual(UtcMillis(1))),
        }
    }

    fn with_password() -> Self {
        let ground = Self::new();
        ground.set_password(PASSWORD);
        ground
    }

    fn set_password(&self, text: &str) {
        password::write(&self.file, &password::hash(text).unwrap(), |_| Ok(())).unwrap();
    }

    async fn session(&self) -> HeaderMap {
        match self.access.log_in(PASSWORD.to_owned()).await {
            LoginResult::Session(token) => cookie_of(&token),
            other => panic!("{other:?}"),
        }
    }

    fn viewer(&self, peer: Peer, headers: &HeaderMap) -> Viewer {
        self.access.reader(peer, headers).viewer()
    }
}

fn cookie_of(token: &str) -> HeaderMap {
    let cookie = HeaderValue::from_str(&format!("orderfeed_session={token}")).unwrap();
    [(COOKIE, cookie)].into_iter().collect()
}

fn operator(name: &str) -> Viewer {
    Viewer::Operator {
        name: name.to_owned(),
    }
}

#[test]
fn only_root_and_the_daemons_user_are_operators_on_the_socket() {
    let ground = Ground::new();
    let own = rustix::process::geteuid().as_raw();
    let none = HeaderMap::new();
    assert_eq!(ground.viewer(Peer::Local(0), &none), operator("uid 0"));
    assert_eq!(
        ground.viewer(Peer::Local(own), &none),
        operator(&format!("uid {own}"))
    );
    assert_eq!(ground.viewer(Peer::Local(54_321), &none), Viewer::Anonymous);
    assert_eq!(ground.viewer(Peer::Network, &none), Viewer::Anonymous);
    for name in FORWARDED {
        let headers = [(name.parse().unwrap(), HeaderValue::from_static("10.0.0.1"))];
        let headers: HeaderMap = headers.into_iter().collect();
        assert_eq!(
            ground.viewer(Peer::Local(0), &headers),
            Viewer::Anonymous,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_session_is_an_operator_until_logout() {
    let ground = Ground::with_password();
    let cookie = ground.session().await;
    assert_eq!(ground.viewer(Peer::Network, &cookie), operator("admin"));
    assert_eq!(ground.viewer(Peer::Network, &cookie_of("00")), Viewer::Anonymous);
    let reader = ground.access.reader(Peer::Network, &cookie);
    ground.access.log_out(&reader);
    assert_eq!(ground.viewer(Peer::Network, &cookie), Viewer::Anonymous);
}

#[tokio::test]
async fn a_new_password_ends_every_session() {
    let ground = Ground::with_password();
    let cookie = ground.session().await;
    ground.set_password("another horse");
    assert_eq!(ground.viewer(Peer::Network, &cookie), Viewer::Anonymous);
    assert_eq!(
        ground.access.log_in(PASSWORD.to_owned()).await,
        LoginResult::Wrong
    );
    std::fs::remove_file(&ground.file).unwrap();
    assert_eq!(
        ground.access.log_in(PASSWORD.to_owned()).await,
        LoginResult::NotSetUp
    );
}

#[tokio::test]
async fn guessing_is_slowed_down_also_for_attempts_at_the_same_time() {
    let ground = Ground::with_password();
    let attempts = (0..40).map(|_| ground.access.log_in("wrong horse".to_owned()));
    let results = futures_util::future::join_all(attempts).await;
    let wrong = results
        .iter()
        .filter(|result| **result == LoginResult::Wrong)
        .count();
    assert_eq!(wrong, 5);
    // The right one waits as well.
    let refused = ground.access.log_in(PASSWORD.to_owned()).await;
    assert!(matches!(refused, LoginResult::Wait(_)), "{refused:?}");
}

#[tokio::test]
async fn a_page_has_the_login_of_its_reader_and_shows_a_notice_once() {
    let ground = Ground::new();
    let (none, socket) = (
        HeaderMap::new(),
        ground.access.reader(Peer::Local(0), &HeaderMap::new()),
    );
    let anonymous = ground.access.reader(Peer::Network, &none);
    let login = |reader: &Reader| ground.access.frame(reader, "/", true).login;
    assert_eq!(login(&anonymous), Login::NotSetUp);
    ground.set_password(PASSWORD);
    assert_eq!(login(&anonymous), Login::Possible);
    assert_eq!(login(&socket), Login::Active { can_log_out: false });
    ground.access.notify(&anonymous, "lost".to_owned(), true);
    ground.access.notify(&socket, "3 events".to_owned(), false);
    let notice = |shows| ground.access.frame(&socket, "/", shows).notice;
    assert!(notice(false).is_none() && notice(true).is_some() && notice(true).is_none());
    let cookie = ground.session().await;
    let session = ground.access.reader(Peer::Network, &cookie);
    assert_eq!(login(&session), Login::Active { can_log_out: true });
}
