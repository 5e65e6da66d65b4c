//! The selected options of an item: the API has their ids, and none of their labels.

use serde_json::Value;

use crate::json::{Json, map};
use crate::shop::row::Row;

/// Returns `product_option` of an item that has options.
pub(crate) fn product_option(row: &Row) -> Option<Json> {
    let options: Value = serde_json::from_str(&row.text("product_options")?).ok()?;
    let mut attributes = Vec::new();
    if let Some(selected) = options["attributes_info"].as_array() {
        let list = selected.iter().map(|option| {
            map! { "option_id": text(&option["option_id"]), "option_value": number(&option["option_value"]) }
        });
        attributes.push(("configurable_item_options".to_owned(), Json::List(list.collect())));
    }
    if let Some(selected) = options["bundle_options"].as_object() {
        let list = selected.values().map(|option| {
            let selections: Vec<Json> = vec![number(&option["option_id"])];
            map! {
                "option_id": number(&option["option_id"]),
                "option_qty": number(&option["value"][0]["qty"]),
                "option_selections": selections,
            }
        });
        attributes.push(("bundle_options".to_owned(), Json::List(list.collect())));
    }
    if let Some(selected) = options["options"].as_array() {
        let list = selected.iter().map(|option| {
            map! { "option_id": text(&option["option_id"]), "option_value": text(&option["value"]) }
        });
        attributes.push(("custom_options".to_owned(), Json::List(list.collect())));
    }
    (!attributes.is_empty()).then(|| map! { "extension_attributes": Json::Map(attributes) })
}

fn text(value: &Value) -> Json {
    Json::Text(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn number(value: &Value) -> Json {
    let number = value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    Json::Int(number.unwrap_or_default())
}
