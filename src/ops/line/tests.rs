//! Lines with hostile content, in every style.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::layer::SubscriberExt;

use super::*;
use orderfeed_model::clock::UtcMillis;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(style: Style, log: impl FnOnce()) -> String {
    let captured = Captured::default();
    let writer = captured.clone();
    let clock = Clock::manual(UtcMillis::parse_rfc3339("2026-11-22T07:00:00.123Z").unwrap());
    let subscriber = tracing_subscriber::registry().with(layer(style, clock, move || writer.clone()));
    tracing::subscriber::with_default(subscriber, log);
    let bytes = captured.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn hostile() {
    let span = tracing::info_span!("batch", website = "base", request_id = tracing::field::Empty);
    let _entered = span.enter();
    span.record("request_id", "b 1");
    let error = io::Error::other("refused\ntime=now level=error msg=forged \u{1b}[31mred\u{202e}");
    tracing::warn!(
        log_code = "OF00-00",
        events = 17,
        share = 0.5,
        retried = true,
        peer = "a\"b=c\n\u{1b}[2J",
        error = %error,
        "Batch refused by {}, sent again",
        "peer\r\nINFO forged"
    );
}

#[test]
fn logfmt_is_one_line_whatever_a_peer_wrote() {
    let text = logged(Style::Logfmt, hostile);
    insta::assert_snapshot!(text);
    assert_eq!(text.lines().count(), 1);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
}

#[test]
fn json_is_one_valid_object_a_line() {
    let text = logged(Style::Json, hostile);
    assert_eq!(text.lines().count(), 1);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        value["message"],
        "Batch refused by peer\r\nINFO forged, sent again"
    );
    assert_eq!(value["events"], 17);
    assert_eq!(value["website"], "base");
    assert_eq!(value["request_id"], "b 1");
    insta::assert_snapshot!(text);
}

#[test]
fn a_journal_entry_has_the_sentence_and_the_fields_and_nothing_forged() {
    let text = logged(Style::Journal, hostile);
    insta::assert_snapshot!(text);
    assert_eq!(
        text.lines().filter(|line| line.starts_with("MESSAGE=")).count(),
        1
    );
    assert!(!text.contains('\u{1b}') && !text.contains("\nINFO forged"));
}

#[test]
fn pretty_has_colour_only_where_it_is_allowed() {
    let plain = logged(Style::Pretty { colour: false }, hostile);
    insta::assert_snapshot!(plain);
    assert_eq!(plain.lines().count(), 1);
    let coloured = logged(Style::Pretty { colour: true }, hostile);
    assert_eq!(
        coloured.matches('\u{1b}').count(),
        2,
        "only the level's own: {coloured:?}"
    );
}

#[test]
fn a_line_without_a_code_begins_with_its_message() {
    let text = logged(Style::Logfmt, || tracing::info!(orders = 3, "It works"));
    assert!(text.contains(" level=info msg=\"It works\" target="), "{text}");
    let entry = logged(Style::Journal, || tracing::info!(orders = 3, "It works"));
    assert!(
        entry.starts_with("MESSAGE=It works orders=3\n") && !entry.contains("MESSAGE_ID"),
        "{entry}"
    );
}
