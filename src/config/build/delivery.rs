//! `[delivery]`, `[privacy]` and `[events]`.

use std::collections::BTreeMap;

use crate::config::model::{Delivery, EventNames, Events, Privacy, Retry};
use crate::config::reader::Reader;
use crate::config::values::{HumanDuration, Unfit};

pub(crate) fn delivery(reader: &mut Reader<'_>) -> Delivery {
    let defaults = Delivery::default();
    let delivery = Delivery {
        max_batch_bytes: reader.int("delivery.max_batch_bytes", defaults.max_batch_bytes),
        max_batch_events: reader.int("delivery.max_batch_events", defaults.max_batch_events),
        lanes: reader.int("delivery.lanes", defaults.lanes),
        request_units_per_second: reader.int(
            "delivery.request_units_per_second",
            defaults.request_units_per_second,
        ),
        max_pending_events: reader.int("delivery.max_pending_events", defaults.max_pending_events),
        connect_timeout: reader.duration("delivery.connect_timeout", defaults.connect_timeout),
        timeout: reader.duration("delivery.timeout", defaults.timeout),
        stop_budget: reader.duration("delivery.stop_budget", defaults.stop_budget),
        retry: retry(reader),
    };
    not_shorter(
        reader,
        ("delivery.timeout", delivery.timeout),
        ("delivery.connect_timeout", delivery.connect_timeout),
    );
    delivery
}

fn retry(reader: &mut Reader<'_>) -> Retry {
    let defaults = Retry::default();
    let retry = Retry {
        initial: reader.duration("delivery.retry.initial", defaults.initial),
        max: reader.duration("delivery.retry.max", defaults.max),
    };
    not_shorter(
        reader,
        ("delivery.retry.max", retry.max),
        ("delivery.retry.initial", retry.initial),
    );
    retry
}

fn not_shorter(reader: &mut Reader<'_>, longer: (&str, HumanDuration), shorter: (&str, HumanDuration)) {
    if longer.1 < shorter.1 {
        let message = format!(
            "\"{}\" is shorter than {}; expected at least \"{}\"",
            longer.1, shorter.0, shorter.1
        );
        reader.problem(longer.0, message);
    }
}

pub(crate) fn privacy(reader: &mut Reader<'_>) -> Privacy {
    let defaults = Privacy::default();
    let profile = reader.choice("privacy.profile", defaults.profile);
    let guest_namespace = reader
        .read("privacy.guest_namespace", parse_namespace)
        .unwrap_or(defaults.guest_namespace);
    Privacy {
        profile,
        guest_namespace,
    }
}

/// An identity namespace's symbol. Those of e-mail addresses would mix guests with persons.
fn parse_namespace(text: &str) -> Result<String, Unfit> {
    let expected = "the symbol of a custom identity namespace at Adobe, letters, digits and underscores";
    if ["email", "email_lc_sha256", "emails", "phone"].contains(&text.to_lowercase().as_str()) {
        return Err(Unfit::new("is a namespace of persons", expected));
    }
    match text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        true => Ok(text.to_owned()),
        false => Err(Unfit::new("is not a namespace", expected)),
    }
}

pub(crate) fn events(reader: &mut Reader<'_>) -> Events {
    let defaults = EventNames::default();
    let mut name = |kind: &str, default: String| {
        reader
            .read(&format!("events.names.{kind}"), parse_event_name)
            .unwrap_or(default)
    };
    let names = EventNames {
        placed: name("placed", defaults.placed),
        invoiced: name("invoiced", defaults.invoiced),
        items_shipped: name("items_shipped", defaults.items_shipped),
        shipment_completed: name("shipment_completed", defaults.shipment_completed),
        cancelled: name("cancelled", defaults.cancelled),
        refunded: name("refunded", defaults.refunded),
        return_initiated: name("return_initiated", defaults.return_initiated),
        return_completed: name("return_completed", defaults.return_completed),
    };
    refuse_shared_names(reader, &names);
    Events { names }
}

fn parse_event_name(text: &str) -> Result<String, Unfit> {
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    match fits {
        true => Ok(text.to_owned()),
        false => Err(Unfit::new(
            "is not an event type",
            "a name such as \"commerce.backofficeOrderPlaced\"",
        )),
    }
}

fn refuse_shared_names(reader: &mut Reader<'_>, names: &EventNames) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (kind, name) in names.by_kind() {
        if let Some(other) = seen.insert(name, kind) {
            let message = format!("{name:?} is also events.names.{other}; expected a name of its own");
            reader.problem(&format!("events.names.{kind}"), message);
        }
    }
}
