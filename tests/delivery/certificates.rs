//! A certificate authority that is replaced under the same path needs no restart.

use std::net::SocketAddr;
use std::time::Duration;

use orderfeed::config::HumanDuration;
use orderfeed::store::outbox::{EventState, SenderState};
use orderfeed_emulator::{Emulator, EmulatorConfig};

use crate::delivery::fixture::Fixture;
use crate::delivery::halts::set_sender;

/// The remedy after the authority was replaced.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Remedy {
    /// The file was replaced before the edge's certificate.
    None,
    Reload,
    Resume,
}

fn at(address: SocketAddr) -> EmulatorConfig {
    EmulatorConfig {
        tls: true,
        listen_server: address,
        keep_bodies: true,
        ..EmulatorConfig::default()
    }
}

#[tokio::test]
async fn a_new_authority_under_the_same_path_is_used_without_a_restart() {
    for remedy in [Remedy::None, Remedy::Reload, Remedy::Resume] {
        let address = crate::support::edge::free_address();
        let mut fixture = Fixture::with(
            |edge| *edge = at(address),
            // No probe comes by itself within the test.
            |config| config.delivery.retry.max = HumanDuration::from_secs(1800),
        )
        .await;
        let running = fixture.run();
        fixture.enqueue("base", &[1], &[1]).await;
        fixture.until(&[1], EventState::Delivered).await;
        let stand_in = Emulator::start(EmulatorConfig::default()).await.unwrap();
        std::mem::replace(&mut fixture.emulator, stand_in)
            .shutdown()
            .await;
        // It has another authority, and does not know the token of the first.
        fixture.emulator = Emulator::start(at(address)).await.unwrap();
        let authority = fixture.emulator.ca_pem().unwrap().to_owned();
        let path = fixture.config.borrow().edge.ca_file.clone().unwrap();
        if remedy == Remedy::None {
            std::fs::write(&path, &authority).unwrap();
        }
        fixture.enqueue("base", &[2], &[1]).await;
        if remedy != Remedy::None {
            let row = fixture.until_sender("base", SenderState::Halted).await;
            assert_eq!(row.code, "tls", "{row:?}");
            std::fs::write(&path, &authority).unwrap();
        }
        match remedy {
            Remedy::None => {}
            Remedy::Reload => fixture.change_config(|_| {}),
            Remedy::Resume => set_sender(&fixture, SenderState::Running).await,
        }
        let begun = std::time::Instant::now();
        fixture.until(&[1, 2], EventState::Delivered).await;
        assert!(begun.elapsed() < Duration::from_secs(30), "{remedy:?}");
        fixture.stop(running).await;
    }
}
