//! The forms that the types of values accept, and that they print what they parsed.

use crate::config::values::{AdminListen, ByteSize, DatastreamId, HumanDuration, OrganizationId};

#[test]
fn durations_are_printed_as_they_are_written() {
    for text in ["0s", "250ms", "5m", "1h30m", "7d", "90d", "5y", "1s1ms"] {
        assert_eq!(text.parse::<HumanDuration>().unwrap().to_string(), text);
    }
    assert_eq!("1h 30m".parse::<HumanDuration>().unwrap().millis(), 5_400_000);
    for text in ["", "5", "-5m", "5 minuets", "five"] {
        assert!(text.parse::<HumanDuration>().is_err(), "{text}");
    }
}

#[test]
fn sizes_are_printed_as_they_are_written() {
    for text in ["0B", "1500B", "64KiB", "256MiB", "2GiB", "1TiB"] {
        assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
    }
    for text in ["", "5", "1GB", "1.5GiB", "99999999999TiB", "-1B"] {
        assert!(text.parse::<ByteSize>().is_err(), "{text}");
    }
}

#[test]
fn organization_ids_have_exactly_one_form() {
    assert!(
        "53A16ACB5CC1D3760A495C99@AdobeOrg"
            .parse::<OrganizationId>()
            .is_ok()
    );
    for text in [
        "",
        "@AdobeOrg",
        "53A16ACB5CC1D3760A495C99",
        "53A16ACB5CC1D3760A495C9é@AdobeOrg",
    ] {
        assert!(text.parse::<OrganizationId>().is_err(), "{text}");
    }
}

#[test]
fn datastream_ids_are_uuids_with_an_optional_environment() {
    for text in [
        "ebebf826-a01f-4458-8cec-ef61de241c93",
        "ebebf826-a01f-4458-8cec-ef61de241c93:stage",
    ] {
        assert_eq!(text.parse::<DatastreamId>().unwrap().to_string(), text);
    }
    let id = "ebebf826-a01f-4458-8cec-ef61de241c93";
    for text in [
        &format!("{id}:"),
        &format!("{id}:a b"),
        &id.replace('-', ""),
        &format!("{{{id}}}"),
    ] {
        assert!(text.parse::<DatastreamId>().is_err(), "{text}");
    }
}

#[test]
fn the_admin_listener_stays_on_this_machine() {
    for text in [
        "127.0.0.1:9187",
        "[::1]:9187",
        "unix:/run/orderfeed/admin.sock",
        "off",
    ] {
        assert_eq!(text.parse::<AdminListen>().unwrap().to_string(), text);
    }
    for text in [
        "0.0.0.0:9187",
        "[::]:9187",
        "192.168.0.1:1",
        "localhost:9187",
        "unix:x",
        "9187",
    ] {
        assert!(text.parse::<AdminListen>().is_err(), "{text}");
    }
}
