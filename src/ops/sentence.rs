//! Formats errors, durations, sizes and the keys of events for people.

use crate::store::outbox::EventKey;
use orderfeed_events::EventKind;

/// Joins an error and its causes to one sentence.
pub fn sentence(error: &anyhow::Error) -> String {
    with_causes(error.as_ref())
}

/// Returns an error with its causes, which `Display` leaves out. A cause that an outer message already quotes is left out.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    for cause in anyhow::Chain::new(error) {
        let cause = cause.to_string();
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// Formats a number with its noun: `1 event`, `2 events`.
pub fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// Formats milliseconds with at most two units: `850ms`, `12s`, `3m 5s`, `2h 10m`, `4d 3h`.
pub fn human_duration(millis: i64) -> String {
    let millis = millis.max(0);
    let secs = millis / 1000;
    match secs {
        0 => format!("{millis}ms"),
        1..60 => format!("{secs}s"),
        60..3600 => format!("{}m {}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h {}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d {}h", secs / 86_400, secs / 3600 % 24),
    }
}

/// Formats the key of an event as commands take it: `1042:invoiced:77`, or `1042:invoiced:77:1` for the second invoice
/// with the id 77.
pub fn event_key(key: EventKey) -> String {
    let kind = EventKind::from_code(key.kind).map_or("unknown", EventKind::as_str);
    let first = format!("{}:{kind}:{}", key.order, key.document);
    match key.generation {
        0 => first,
        generation => format!("{first}:{generation}"),
    }
}

/// Formats bytes: `512 B`, `1.5 KiB`, `12.0 MiB`.
pub fn human_bytes(bytes: u64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, factor)| bytes >= *factor) {
        Some((unit, factor)) => format!("{:.1} {unit}", bytes as f64 / *factor as f64),
        None => format!("{bytes} B"),
    }
}

/// Escapes control characters, so that text of a third party cannot control the terminal.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_cause_is_named_once() {
        let error =
            anyhow::Error::from(StoreError::Closed).context("the store is closed, so nothing was done");
        assert_eq!(sentence(&error), "the store is closed, so nothing was done");
        let error = anyhow::Error::from(StoreError::Closed).context("nothing was done");
        assert_eq!(sentence(&error), "nothing was done: the store is closed");
    }

    #[test]
    fn durations_and_sizes_are_short() {
        let durations = [0, 850, 12_000, 185_000, 7_800_000, 356_400_000].map(human_duration);
        assert_eq!(durations, ["0ms", "850ms", "12s", "3m 5s", "2h 10m", "4d 3h"]);
        assert_eq!(human_duration(-5), "0ms");
        assert_eq!(
            [512, 1536, 12 << 20].map(human_bytes),
            ["512 B", "1.5 KiB", "12.0 MiB"]
        );
    }
}
