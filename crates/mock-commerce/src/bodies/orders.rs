//! Whole orders.

use crate::bodies::interface::Interface;
use crate::bodies::items::items;
use crate::bodies::scalars::number;
use crate::bodies::scene::Scene;
use crate::config::{MockConfig, Release};
use crate::json::{Json, map};
use crate::search::fields::Wanted;
use crate::shop::row::Row;
use crate::shop::{ByOwner, Reading};

const ORDER: Interface = Interface {
    table: "sales_order",
    without: &[
        "coupon_rule_name",
        "send_email",
        "shipping_address_id",
        "shipping_method",
    ],
    required: &["base_grand_total", "customer_email", "grand_total"],
};

const ADDRESS: Interface = Interface {
    table: "sales_order_address",
    without: &["quote_address_id", "street"],
    required: &[
        "address_type",
        "city",
        "country_id",
        "firstname",
        "lastname",
        "postcode",
        "telephone",
    ],
};

const PAYMENT: Interface = Interface {
    table: "sales_order_payment",
    without: &["additional_information", "cc_last_4"],
    required: &["method"],
};

const HISTORY: Interface = Interface {
    table: "sales_order_status_history",
    without: &[],
    required: &[
        "comment",
        "is_customer_notified",
        "is_visible_on_front",
        "parent_id",
    ],
};

const TAX: Interface = Interface {
    table: "sales_order_tax",
    without: &[],
    required: &[
        "percent",
        "amount",
        "base_amount",
        "base_real_amount",
        "priority",
        "position",
        "process",
    ],
};

/// The rows of the orders of a page.
struct Parts {
    items: ByOwner,
    addresses: ByOwner,
    payments: ByOwner,
    histories: ByOwner,
    taxes: ByOwner,
}

impl Parts {
    fn read(reading: &Reading<'_>, ids: &[i64], wanted: Wanted<'_>) -> rusqlite::Result<Self> {
        let owned = |is_wanted: bool, table, owner| match is_wanted {
            true => reading.owned(table, owner, ids),
            false => Ok(ByOwner::new()),
        };
        let extended = wanted.has("extension_attributes");
        Ok(Self {
            items: owned(wanted.has("items") || extended, "sales_order_item", "order_id")?,
            addresses: owned(
                wanted.has("billing_address") || extended,
                "sales_order_address",
                "parent_id",
            )?,
            payments: owned(
                wanted.has("payment") || extended,
                "sales_order_payment",
                "parent_id",
            )?,
            histories: owned(
                wanted.has("status_histories"),
                "sales_order_status_history",
                "parent_id",
            )?,
            taxes: owned(extended, "sales_order_tax", "order_id")?,
        })
    }
}

pub(crate) fn orders(scene: Scene<'_>, rows: &[Row]) -> rusqlite::Result<Vec<Json>> {
    let ids: Vec<i64> = rows.iter().filter_map(|row| row.int("entity_id")).collect();
    let parts = Parts::read(scene.reading, &ids, scene.wanted)?;
    Ok(rows.iter().map(|row| order(scene, row, &parts)).collect())
}

/// Returns the history of one order, newest entry first.
pub(crate) fn histories(scene: Scene<'_>, order: i64) -> rusqlite::Result<Vec<Json>> {
    let rows = scene
        .reading
        .owned("sales_order_status_history", "parent_id", &[order])?;
    Ok(history_of(&rows, order, scene.config, scene.wanted))
}

fn order(scene: Scene<'_>, row: &Row, parts: &Parts) -> Json {
    let Scene { config, wanted, .. } = scene;
    let id = row.int("entity_id").unwrap_or_default();
    let mut members = ORDER.members(row, config, wanted);
    if config.text_store_ids
        && let Some(store) = row.text("store_id")
    {
        members.put("store_id", store);
    }
    members.put("items", items(of(&parts.items, id), config, wanted.of("items")));
    if let Some(billing) = address_of(parts, id, "billing") {
        members.put(
            "billing_address",
            address(billing, config, wanted.of("billing_address")),
        );
    }
    if let Some(row) = of(&parts.payments, id).first() {
        members.put("payment", payment(row, config, wanted.of("payment")));
    }
    members.put(
        "status_histories",
        history_of(&parts.histories, id, config, wanted.of("status_histories")),
    );
    members.put(
        "extension_attributes",
        extension_attributes(scene, row, id, parts, wanted.of("extension_attributes")),
    );
    members.finish()
}

fn of(rows: &ByOwner, id: i64) -> &[Row] {
    rows.get(&id).map_or(&[], Vec::as_slice)
}

fn address_of<'a>(parts: &'a Parts, id: i64, kind: &str) -> Option<&'a Row> {
    of(&parts.addresses, id)
        .iter()
        .find(|row| row.text("address_type").as_deref() == Some(kind))
}

fn address(row: &Row, config: &MockConfig, wanted: Wanted<'_>) -> Json {
    let mut members = ADDRESS.members(row, config, wanted);
    if let Some(street) = row.text("street") {
        let lines: Vec<Json> = street.lines().map(Json::from).collect();
        members.put("street", lines);
    }
    members.finish()
}

fn payment(row: &Row, config: &MockConfig, wanted: Wanted<'_>) -> Json {
    let mut members = PAYMENT.members(row, config, wanted);
    members.put("account_status", Json::Null);
    members.put("cc_last4", row.text("cc_last_4"));
    // The values alone: which is the title can only be guessed from here.
    let values: Vec<Json> = information(row)
        .into_iter()
        .map(|(_, value)| Json::Text(value))
        .collect();
    members.put("additional_information", values);
    members.finish()
}

/// Returns the additional information of a payment, as keys and values.
fn information(row: &Row) -> Vec<(String, String)> {
    let text = row.text("additional_information").unwrap_or_default();
    let parsed: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap_or_default();
    let text_of = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    parsed
        .into_iter()
        .map(|(key, value)| (key, text_of(value)))
        .collect()
}

fn history_of(rows: &ByOwner, id: i64, config: &MockConfig, wanted: Wanted<'_>) -> Vec<Json> {
    let rows = of(rows, id).iter().rev();
    rows.map(|row| HISTORY.members(row, config, wanted).finish())
        .collect()
}

fn extension_attributes(scene: Scene<'_>, row: &Row, id: i64, parts: &Parts, wanted: Wanted<'_>) -> Json {
    let config = scene.config;
    let mut members = Vec::new();
    let mut put = |name: &str, value: &dyn Fn() -> Json| {
        if wanted.has(name) {
            members.push((name.to_owned(), value()));
        }
    };
    put("shipping_assignments", &|| {
        let assignment = shipping_assignment(scene, row, id, parts, wanted.of("shipping_assignments"));
        Json::List(vec![assignment])
    });
    put("payment_additional_info", &|| {
        let rows = of(&parts.payments, id).iter().flat_map(information);
        Json::List(
            rows.map(|(key, value)| map! { "key": key, "value": value })
                .collect(),
        )
    });
    put("applied_taxes", &|| {
        Json::List(
            of(&parts.taxes, id)
                .iter()
                .map(|tax| applied_tax(tax, config))
                .collect(),
        )
    });
    // Only from 2.4.7 on.
    if config.release >= Release::V2_4_8 {
        put("taxes", &|| {
            let taxes = of(&parts.taxes, id).iter();
            Json::List(
                taxes
                    .map(|tax| TAX.members(tax, config, wanted.of("taxes")).finish())
                    .collect(),
            )
        });
    }
    // PHP writes an empty map as a list.
    if members.is_empty() {
        Json::List(Vec::new())
    } else {
        Json::Map(members)
    }
}

fn shipping_assignment(scene: Scene<'_>, row: &Row, id: i64, parts: &Parts, wanted: Wanted<'_>) -> Json {
    let config = scene.config;
    let mut assignment = Vec::new();
    if wanted.has("shipping") {
        let inner = wanted.of("shipping");
        let mut shipping = Vec::new();
        if let Some(row) = address_of(parts, id, "shipping")
            && inner.has("address")
        {
            shipping.push(("address".to_owned(), address(row, config, inner.of("address"))));
        }
        if let Some(method) = row.text("shipping_method").filter(|_| inner.has("method")) {
            shipping.push(("method".to_owned(), Json::Text(method)));
        }
        if inner.has("total") {
            shipping.push(("total".to_owned(), shipping_total(row, config)));
        }
        let shipping = if shipping.is_empty() {
            Json::List(Vec::new())
        } else {
            Json::Map(shipping)
        };
        assignment.push(("shipping".to_owned(), shipping));
    }
    // Every item once more.
    if wanted.has("items") {
        let list = items(of(&parts.items, id), config, wanted.of("items"));
        assignment.push(("items".to_owned(), Json::List(list)));
    }
    Json::Map(assignment)
}

fn shipping_total(row: &Row, config: &MockConfig) -> Json {
    let is_shipping = |column: &str| {
        (column.starts_with("base_shipping_") || column.starts_with("shipping_"))
            && !matches!(
                column,
                "shipping_address_id" | "shipping_method" | "shipping_description"
            )
    };
    let wanted = Wanted::All;
    let Json::Map(all) = ORDER.members(row, config, wanted).finish() else {
        return Json::Null;
    };
    Json::Map(all.into_iter().filter(|(name, _)| is_shipping(name)).collect())
}

/// Returns a tax as the API shows it, without its id.
fn applied_tax(row: &Row, config: &MockConfig) -> Json {
    let mut members = Vec::new();
    for name in ["code", "title"] {
        if let Some(text) = row.text(name) {
            members.push((name.to_owned(), Json::Text(text)));
        }
    }
    for name in ["percent", "amount", "base_amount"] {
        if let Some(text) = row.text(name) {
            members.push((name.to_owned(), number(&text, config.precise_floats)));
        }
    }
    Json::Map(members)
}
