//! Delivery through a proxy: both peers are reached by CONNECT, and the proxy's own errors are named.

use orderfeed::config::{Config, EdgeAuth};
use orderfeed::store::outbox::{EventState, SenderState};

use crate::delivery::fixture::Fixture;
use crate::support::proxy::{ConnectProxy, LOGIN, ProxyMode};

/// An edge that only the proxy can reach: its name, which is reserved for tests, has no address.
async fn behind_a_proxy(mode: ProxyMode, login: &str) -> (Fixture, ConnectProxy) {
    let fixture = Fixture::with(|edge| edge.tls = true, |_| {}).await;
    let url = fixture.config.borrow().edge.url.clone();
    let target = format!("127.0.0.1:{}", url.port().unwrap()).parse().unwrap();
    let proxy = ConnectProxy::start(target, mode).await;
    let address = proxy.address;
    fixture.change_config(|config| {
        let edge = &mut config.edge;
        for url in [&mut edge.url, &mut edge.oauth.token_url] {
            url.set_host(Some("edge.test")).unwrap();
        }
        set_proxy(config, &format!("http://{login}{address}"));
    });
    (fixture, proxy)
}

fn set_proxy(config: &mut Config, url: &str) {
    config.edge.proxy = Some(url.parse().unwrap());
}

#[tokio::test]
async fn the_edge_and_the_token_service_are_reached_through_the_proxy() {
    let (fixture, proxy) = behind_a_proxy(ProxyMode::Login, &format!("{LOGIN}@")).await;
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    fixture.until(&[1], EventState::Delivered).await;
    fixture.stop(running).await;
    let port = fixture.config.borrow().edge.url.port().unwrap();
    assert!(!proxy.asked().is_empty());
    assert!(
        proxy
            .asked()
            .iter()
            .all(|host| *host == format!("edge.test:{port}")),
        "{:?}",
        proxy.asked()
    );
}

#[tokio::test]
async fn a_login_that_the_proxy_refuses_halts_and_the_right_one_resumes() {
    for auth in [EdgeAuth::Oauth, EdgeAuth::None] {
        let (fixture, proxy) = behind_a_proxy(ProxyMode::Login, "feed:wrong@").await;
        let edge_port = fixture
            .emulator
            .edge_url()
            .rsplit(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        fixture.change_config(|config| {
            config.edge.auth = auth;
            if auth == EdgeAuth::None {
                config.edge.url.set_port(Some(edge_port)).unwrap();
            }
        });
        fixture.enqueue("base", &[1], &[1]).await;
        let running = fixture.run();
        let row = fixture.until_sender("base", SenderState::Halted).await;
        assert_eq!(row.code, "proxy_login");
        assert!(
            row.reason.contains(&proxy.address.to_string()) && row.reason.contains("edge.proxy"),
            "{row:?}"
        );
        assert!(!row.reason.contains("wrong"), "{row:?}");
        let right = format!("http://{LOGIN}@{}", proxy.address);
        if auth == EdgeAuth::Oauth {
            fixture.change_config(|config| set_proxy(config, &right));
            fixture.until(&[1], EventState::Delivered).await;
        }
        fixture.stop(running).await;
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_a_host_is_named_and_tried_again() {
    for (auth, code) in [(EdgeAuth::None, "proxy"), (EdgeAuth::Oauth, "ims_proxy")] {
        let (fixture, proxy) = behind_a_proxy(ProxyMode::Refuse, "").await;
        fixture.change_config(|config| config.edge.auth = auth);
        fixture.enqueue("base", &[1], &[1]).await;
        let running = fixture.run();
        let row = fixture.until_sender("base", SenderState::BackingOff).await;
        assert_eq!(row.code, code);
        let refusal = format!("the proxy {} refuses to connect to edge.test", proxy.address);
        if auth == EdgeAuth::None {
            let attempts = fixture
                .store
                .read(|reader| {
                    let batch = reader.events_of(1)?[0].batch;
                    reader.attempts_of(batch)
                })
                .await
                .unwrap();
            assert!(format!("{attempts:?}").contains(&refusal), "{attempts:?}");
        }
        fixture.stop(running).await;
    }
}
