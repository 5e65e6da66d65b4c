//! Every field of every answer has the name and the type that Commerce's own description of its API gives it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::client::Fixture;
use crate::{MockConfig, Release};

/// Fields of an interface, with the type of each and whether it is required.
type Interface = BTreeMap<String, (String, bool)>;

/// Interfaces by name.
type Description = BTreeMap<String, Interface>;

fn description() -> Description {
    let mut all = Description::new();
    let mut name = String::new();
    for line in include_str!("description.txt").lines() {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name = section.to_owned();
            assert!(
                all.insert(name.clone(), Interface::new()).is_none(),
                "{name} twice"
            );
        } else if let Some((kind, names)) = line.split_once(": ") {
            let interface = all.get_mut(&name);
            let Some(interface) = interface else { continue };
            let mut add = |field: &str, kind: &str| {
                let is_required = field.ends_with('!');
                let field = field.trim_end_matches('!').to_owned();
                assert!(interface.insert(field, (kind.to_owned(), is_required)).is_none());
            };
            match kind {
                "number" | "integer" | "string" | "boolean" => {
                    names.split(' ').for_each(|field| add(field, kind))
                }
                field => add(field, names),
            }
        }
    }
    all
}

/// Compares answers with the description.
struct Check {
    description: Description,
    /// Findings, each once.
    wrong: BTreeSet<String>,
    /// Fields that occurred with a value.
    seen: BTreeSet<String>,
}

impl Check {
    fn object(&mut self, name: &str, value: &Value) {
        let interface = self.description[name].clone();
        // PHP writes an empty map as an empty list.
        if value.as_array().is_some_and(Vec::is_empty) {
            return;
        }
        let Some(members) = value.as_object() else {
            self.wrong.insert(format!("{name} is {value}"));
            return;
        };
        for (field, value) in members {
            match interface.get(field) {
                None => drop(self.wrong.insert(format!("{name}.{field} is not described"))),
                Some((_, is_required)) if value.is_null() => {
                    if !is_required {
                        self.wrong
                            .insert(format!("{name}.{field} is null and not required"));
                    }
                }
                Some((kind, _)) => {
                    self.seen.insert(format!("{name}.{field}"));
                    self.value(&format!("{name}.{field}"), kind, value);
                }
            }
        }
        for (field, (_, is_required)) in &interface {
            if *is_required && !members.contains_key(field) {
                self.wrong
                    .insert(format!("{name}.{field} is required and absent"));
            }
        }
    }

    fn value(&mut self, place: &str, kind: &str, value: &Value) {
        let fits = match kind {
            "number" => value.is_number(),
            "integer" => value.is_i64(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            _ => match kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
                Some(kind) => {
                    let list = value.as_array();
                    list.into_iter()
                        .flatten()
                        .for_each(|value| self.value(place, kind, value));
                    list.is_some()
                }
                None => {
                    self.object(kind, value);
                    true
                }
            },
        };
        if !fits {
            self.wrong
                .insert(format!("{place} is {value}, not of type {kind}"));
        }
    }
}

#[tokio::test]
async fn answers_have_the_fields_of_the_published_description() {
    let fixture = Fixture::start(
        300,
        MockConfig {
            return_reasons: true,
            ..MockConfig::default()
        },
    )
    .await;
    let mut check = Check {
        description: description(),
        wrong: BTreeSet::new(),
        seen: BTreeSet::new(),
    };
    for release in [Release::V2_3, Release::Newest] {
        fixture.mock.configure(|config| config.release = release);
        for list in [
            "orders",
            "invoices",
            "shipments",
            "creditmemos",
            "transactions",
            "returns",
        ] {
            let reply = fixture.get(&format!("{list}?searchCriteria=all")).await;
            assert_eq!(reply.status, 200, "{list}");
            check.object(&format!("{list}-page"), &reply.json());
        }
    }
    for (path, interface) in [
        ("store/websites", "[website]"),
        ("store/storeGroups", "[store-group]"),
        ("store/storeViews", "[store-view]"),
        ("returnsAttributeMetadata/reason", "return-attribute"),
        ("orders/7", "order"),
        ("shipment/3", "shipment"),
        ("creditmemo/1", "creditmemo"),
        ("returns/1", "return"),
    ] {
        let reply = fixture.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        check.value(path, interface, &reply.json());
    }
    assert!(check.wrong.is_empty(), "{:#?}", check.wrong);
    // Not an empty shop: what the events are made of occurred.
    for field in [
        "order.protect_code",
        "order-item.parent_item",
        "configurable-option.option_value",
        "bundle-option.option_selections",
        "custom-option.option_value",
        "order-tax.tax_id",
        "shipping.address",
        "payment-info.value",
        "track.track_number",
        "creditmemo-item.qty",
        "transaction.child_transactions",
        "return-item.qty_approved",
        "return-item.reason",
        "return-comment.status",
    ] {
        assert!(check.seen.contains(field), "{field} did not occur");
    }
}

#[test]
fn a_wrong_name_type_or_absence_is_found() {
    let found = |name: &str, value: Value| -> Vec<String> {
        let mut check = Check {
            description: description(),
            wrong: BTreeSet::new(),
            seen: BTreeSet::new(),
        };
        check.object(name, &value);
        check.wrong.into_iter().collect()
    };
    let line = serde_json::json!({ "option_id": 7, "value": "x" });
    assert_eq!(
        found("custom-option", line),
        [
            "custom-option.option_id is 7, not of type string",
            "custom-option.option_value is required and absent",
            "custom-option.value is not described",
        ]
    );
    assert!(found("payment-info", serde_json::json!({ "key": "a", "value": null })).is_empty());
}
