//! Returns (RMA). The API lacks much of their tables: product names and numbers, decimals of quantities.

use crate::bodies::interface::Interface;
use crate::bodies::scene::Scene;
use crate::config::MockConfig;
use crate::json::{Json, map};
use crate::shop::ByOwner;
use crate::shop::row::Row;

const RETURN: Interface = Interface {
    table: "magento_rma",
    without: &["is_active", "protect_code"],
    required: &[
        "increment_id",
        "order_increment_id",
        "store_id",
        "customer_id",
        "customer_custom_email",
        "status",
    ],
};

pub(crate) fn returns(scene: Scene<'_>, rows: &[Row]) -> rusqlite::Result<Vec<Json>> {
    let Scene { config, wanted, .. } = scene;
    let ids: Vec<i64> = rows.iter().filter_map(|row| row.int("entity_id")).collect();
    let owned = |name: &str, table| match wanted.has(name) {
        true => scene.reading.owned(table, "rma_entity_id", &ids),
        false => Ok(ByOwner::new()),
    };
    let items = owned("items", "magento_rma_item_entity")?;
    let comments = owned("comments", "magento_rma_status_history")?;
    let document = |row: &Row| {
        let id = row.int("entity_id").unwrap_or_default();
        let list = |rows: &ByOwner, one: &dyn Fn(&Row) -> Json| {
            let rows = rows.get(&id).map_or(&[][..], Vec::as_slice);
            Json::List(rows.iter().map(one).collect())
        };
        let mut members = RETURN.members(row, config, wanted);
        members.put("items", list(&items, &|row| item(row, config)));
        members.put("comments", list(&comments, &comment));
        members.put("tracks", Vec::new());
        members.finish()
    };
    Ok(rows.iter().map(document).collect())
}

/// Removes what lists of some versions lack: they know a return's items only one by one.
pub(crate) fn strip(documents: &mut [Json]) {
    for document in documents {
        for name in ["items", "comments", "tracks"] {
            if let Some(value) = document.get_mut(name) {
                *value = Json::Null;
            }
        }
    }
}

fn item(row: &Row, config: &MockConfig) -> Json {
    let whole = |name: &str| Json::from(row.amount(name).map(|units| units / 10_000));
    let reason = config
        .return_reasons
        .then(|| row.int("entity_id").unwrap_or_default() % 3 + 1)
        .map(|id| id.to_string());
    map! {
        "entity_id": row.int("entity_id"),
        "rma_entity_id": row.int("rma_entity_id"),
        "order_item_id": row.int("order_item_id"),
        "qty_requested": whole("qty_requested"),
        "qty_authorized": whole("qty_authorized"),
        "qty_approved": whole("qty_approved"),
        "qty_returned": whole("qty_returned"),
        "reason": reason,
        "condition": Json::Null,
        "resolution": Json::Null,
        "status": row.text("status"),
    }
}

fn comment(row: &Row) -> Json {
    let flag = |name: &str| row.int(name).unwrap_or_default() != 0;
    map! {
        "comment": row.text("comment"),
        "rma_entity_id": row.int("rma_entity_id"),
        "created_at": row.text("created_at"),
        "entity_id": row.int("entity_id"),
        "customer_notified": flag("is_customer_notified"),
        "visible_on_front": flag("is_visible_on_front"),
        "status": row.text("status"),
        "admin": flag("is_admin"),
    }
}
