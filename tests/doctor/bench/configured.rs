//! Faults that are there from the start: of the configuration, the edge and the clock.

use orderfeed_emulator::{Emulator, EmulatorConfig, EmulatorHandle};

use super::Fault;
use crate::support::daemon::now;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Faults of the configuration: name and layer of each, and how it is found.
fn configured() -> Vec<(String, Fault<'static>)> {
    let refused = edge::free_address();
    let month: u32 = now().rfc3339()[5..7].parse().unwrap();
    let far = (month + 1) % 12 + 1;
    let layer = |text: &str| text.to_owned();
    vec![
        (
            layer("[delivery]\nlanez = 3\n"),
            Fault {
                check: "configuration.valid",
                cause: &["fault.toml:2", "lanez", "lanes"],
                remedy: &["config check"],
                status: &[],
            },
        ),
        (
            layer("[cron]\nresend_failed_items = \"0 0 30 2 *\"\n"),
            Fault {
                check: "configuration.valid",
                cause: &["cron.resend_failed_items", "never fires"],
                remedy: &["config check"],
                status: &[],
            },
        ),
        (
            format!("[cron]\nindexer_update_all_views = \"0 0 1 {far} *\"\n"),
            Fault {
                check: "schedules.expression",
                cause: &["cron.indexer_update_all_views", "next runs in"],
                remedy: &["default \"*/5 * * * * *\"", "cron run indexer_update_all_views"],
                status: &["PROBLEM", "indexer_update_all_views", "next runs in"],
            },
        ),
        (
            layer("[store]\ndisk_reserve = \"900TiB\"\n"),
            Fault {
                check: "files.disk",
                cause: &["nearly full", "store.disk_reserve"],
                remedy: &["free some space"],
                status: &["PROBLEM", "the disk is nearly full"],
            },
        ),
        (
            format!("[edge]\nurl = \"http://{refused}\"\n"),
            Fault {
                check: "edge.address",
                cause: &["connection refused by 127.0.0.1:"],
                remedy: &["edge.url"],
                status: &["Warning", "delivery has failed for"],
            },
        ),
        (
            format!("[edge.oauth]\ntoken_url = \"http://{refused}/ims/token/v3\"\n"),
            Fault {
                check: "edge.token_address",
                cause: &["connection refused by 127.0.0.1:"],
                remedy: &["edge.oauth.token_url"],
                status: &["Warning", "delivery has failed for"],
            },
        ),
        (
            layer("[edge.oauth]\nclient_secret = \"0ld-one\"\n"),
            Fault {
                check: "edge.token",
                cause: &[
                    "refuses the client",
                    "invalid_client",
                    "fault.toml",
                    "was rotated or has expired",
                ],
                remedy: &["client_secret", "systemctl reload"],
                status: &["PROBLEM", "halted", "was rotated or has expired"],
            },
        ),
        (
            layer("[websites.base]\ndatastream_id = \"deadbeef-0000-4000-8000-000000000000\"\n"),
            Fault {
                check: "edge.datastream",
                cause: &["base", "EXEG-0003-400"],
                remedy: &["websites.base.datastream_id"],
                status: &["PROBLEM", "base: delivery is halted", "EXEG-0003-400"],
            },
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_configuration_is_the_first_line() {
    let edge = edge::start().await;
    std::thread::scope(|scope| {
        for (layer, fault) in configured() {
            let url = edge.server_url();
            scope.spawn(move || {
                let fixture = ShopFixture::new(&url, 10);
                fixture.installation.layer("fault", &layer);
                let daemon = fixture.installation.start();
                fault.is_named_by(&fixture.installation);
                drop(daemon);
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misspelt_website_is_the_first_line_with_the_one_that_is_meant() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 10);
    let config = std::fs::read_to_string(fixture.installation.path("orderfeed.toml")).unwrap();
    fixture.installation.write(
        "orderfeed.toml",
        &config.replace("[websites.base]", "[websites.bsae]"),
    );
    let daemon = fixture.installation.start_and_wait();
    let fault = Fault {
        check: "source.websites bsae",
        cause: &["PROBLEM", "no website bsae", "did you mean base?"],
        remedy: &["[websites.bsae] to [websites.base]", "systemctl reload"],
        status: &[],
    };
    fault.is_named_by(&fixture.installation);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_an_unknown_authority_is_the_first_line_with_its_issuer() {
    let edge = served_by(|settings| settings.tls = true).await;
    let fixture = ShopFixture::new(&edge.server_url(), 5);
    let authority = rcgen::generate_simple_self_signed(vec!["another".to_owned()]).unwrap();
    fixture.installation.write("ca.pem", &authority.cert.pem());
    fixture
        .installation
        .layer("fault", "[edge]\nca_file = \"ca.pem\"\n");
    let daemon = fixture.installation.start();
    let fault = Fault {
        check: "edge.token",
        cause: &["certificate", "issued by", "edge.ca_file", "ca.pem"],
        remedy: &["edge.ca_file"],
        status: &["PROBLEM", "halted", "certificate"],
    };
    fault.is_named_by(&fixture.installation);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_event_is_the_first_line() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 20);
    edge::refuse_placed(&edge, 7);
    let daemon = fixture.installation.start();
    let fault = Fault {
        check: "delivery.parked",
        cause: &["1 event was refused", "7:placed:7", "EXEG-0305-400"],
        remedy: &["failed show 7:placed:7", "failed retry"],
        status: &["PROBLEM", "1 event was refused"],
    };
    fault.is_named_by(&fixture.installation);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_is_the_first_line() {
    let behind = Some(now().plus_millis(-3_600_000).rfc3339());
    let edge = served_by(|settings| settings.clock = behind).await;
    let fixture = ShopFixture::new(&edge.server_url(), 1);
    let daemon = fixture.installation.start_and_wait();
    let fault = Fault {
        check: "clock.edge",
        cause: &["1h 0m ahead of"],
        remedy: &["timedatectl"],
        status: &[],
    };
    fault.is_named_by(&fixture.installation);
    drop(daemon);
}

async fn served_by(change: impl FnOnce(&mut EmulatorConfig)) -> EmulatorHandle {
    let mut settings = edge::settings();
    change(&mut settings);
    Emulator::start(settings).await.unwrap()
}
