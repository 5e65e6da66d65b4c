//! The life of the service, from start to stop.

use rustix::process::Signal;

use super::daemon::Service;

#[test]
fn systemd_is_notified_of_readiness_watchdog_and_stop() {
    let mut service = Service::new(None);
    service.start();
    let (_, before) = service.until("READY=1");
    assert_eq!(
        before,
        ["STATUS=opening the store"],
        "nothing is ready before the store is"
    );
    let (_, before) = service.until("WATCHDOG=1");
    let (_, later) = service.until("WATCHDOG=1");
    let reported = [before, later].concat();
    assert!(
        reported
            .iter()
            .any(|line| line.ends_with("indexed to version 0; nothing to send")),
        "{reported:?}"
    );
    assert_eq!(service.page("/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(service.page("/healthz"), (200, "ok\n".to_owned()));
    service.signal(Signal::TERM);
    let (_, before) = service.until("STOPPING=1");
    assert!(
        !before.iter().any(|message| message.starts_with("READY")),
        "{before:?}"
    );
    let (status, _) = service.until("STATUS=");
    assert!(status.contains("stopping"), "{status}");
    assert_eq!(service.ended(), 0);
    assert!(!service.path("admin.sock").exists());
}

#[test]
fn a_reload_is_announced_and_one_that_fails_leaves_the_old_configuration() {
    let mut service = Service::new(None);
    service.start();
    service.until("READY=1");
    service.signal(Signal::HUP);
    let (reloading, _) = service.until("RELOADING=1");
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    service.until("READY=1");
    let successful = |service: &Service, value: u8| {
        let (_, metrics) = service.page("/metrics");
        let line = format!("orderfeed_config_last_reload_successful {value}\n");
        assert!(metrics.contains(&line), "{metrics}");
    };
    successful(&service, 1);
    std::fs::write(service.config(), "[delivery]\nlanez = 3\n").unwrap();
    service.signal(Signal::HUP);
    service.until("RELOADING=1");
    service.until("READY=1");
    successful(&service, 0);
    assert_eq!(service.page("/readyz").0, 200, "it goes on");
    assert!(service.log().contains("lanez"), "{}", service.log());
}

#[test]
fn sigusr1_logs_the_status() {
    let mut service = Service::new(None);
    service.start();
    service.until("READY=1");
    service.signal(Signal::USR1);
    // The source may have been refused by then, which the line names first.
    service.logged("indexed to version 0; nothing to send");
}

#[test]
fn status_and_metrics_are_served_and_anything_else_is_not() {
    let mut service = Service::new(None);
    service.start();
    service.until("READY=1");
    let (code, status) = service.page("/status");
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!((code, &status["version"]), (200, &serde_json::json!(1)));
    assert_eq!(status["daemon"]["running"], true);
    let (_, metrics) = service.page("/metrics");
    for name in [
        "orderfeed_ready 1",
        "orderfeed_store_size_bytes{file=\"database\"}",
        "# EOF",
    ] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    assert_eq!(service.page("/nowhere").0, 404);
}

#[test]
fn a_taken_port_is_logged_and_stops_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut service = Service::new(Some(&taken.local_addr().unwrap().to_string()));
    service.start();
    service.until("READY=1");
    service.logged("The admin endpoint cannot listen; the daemon works without it");
    service.signal(Signal::TERM);
    assert_eq!(service.ended(), 0);
}

#[test]
fn a_second_daemon_ends_with_75_and_never_reports_readiness() {
    let mut first = Service::new(None);
    first.start();
    first.until("READY=1");
    let mut second = Service::new(None);
    let config = std::fs::read_to_string(second.config()).unwrap();
    let store = first.path("orderfeed.db");
    let shared = config.replace(
        "path = \"orderfeed.db\"",
        &format!("path = \"{}\"", store.display()),
    );
    std::fs::write(second.config(), shared).unwrap();
    second.start();
    assert_eq!(second.ended(), 75);
    assert_eq!(second.message(), "STATUS=opening the store");
    assert!(
        second.message().starts_with("STATUS=ended: "),
        "and then the reason"
    );
    assert!(
        second.log().contains("orderfeed run (process "),
        "{}",
        second.log()
    );
}

#[test]
fn the_unedited_shipped_configuration_is_refused_with_one_sentence() {
    let mut service = Service::new(None);
    std::fs::write(service.config(), include_str!("../../config/orderfeed.toml")).unwrap();
    service.start();
    assert_eq!(service.ended(), 78);
    let log = service.log();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(
        log.contains("orderfeed is not configured yet; set services_connector.organization_id"),
        "{log}"
    );
    assert!(
        log.contains("source.mysql.url") && log.contains("websites"),
        "{log}"
    );
}
