//! Invoices, shipments, credit memos and transactions.

use crate::bodies::interface::{Interface, Members};
use crate::bodies::scene::Scene;
use crate::json::Json;
use crate::shop::ByOwner;
use crate::shop::row::Row;

const INVOICE: Interface = Interface {
    table: "sales_invoice",
    without: &["send_email", "customer_note_notify", "customer_note"],
    required: &["order_id", "total_qty"],
};

const INVOICE_ITEM: Interface = Interface {
    table: "sales_invoice_item",
    without: &["tax_ratio"],
    required: &["sku", "order_item_id", "qty"],
};

const SHIPMENT: Interface = Interface {
    table: "sales_shipment",
    without: &["send_email", "customer_note_notify", "customer_note", "packages"],
    required: &["order_id"],
};

const SHIPMENT_ITEM: Interface = Interface {
    table: "sales_shipment_item",
    without: &[],
    required: &["order_item_id", "qty"],
};

const TRACK: Interface = Interface {
    table: "sales_shipment_track",
    without: &[],
    required: &[
        "order_id",
        "parent_id",
        "weight",
        "qty",
        "description",
        "track_number",
        "title",
        "carrier_code",
    ],
};

const CREDIT_MEMO: Interface = Interface {
    table: "sales_creditmemo",
    without: &["send_email", "customer_note_notify", "customer_note"],
    required: &["order_id"],
};

const CREDIT_MEMO_ITEM: Interface = Interface {
    table: "sales_creditmemo_item",
    without: &["tax_ratio"],
    required: &["base_cost", "base_price", "entity_id", "order_item_id", "qty"],
};

const CREDIT_MEMO_COMMENT: Interface = Interface {
    table: "sales_creditmemo_comment",
    without: &["updated_at"],
    required: &[
        "comment",
        "is_customer_notified",
        "is_visible_on_front",
        "parent_id",
    ],
};

const TRANSACTION: Interface = Interface {
    table: "sales_payment_transaction",
    without: &["additional_information"],
    required: &["txn_id", "parent_txn_id", "txn_type"],
};

/// A list within a document: its property, its interface and the column with the document's id.
struct Part {
    name: &'static str,
    interface: &'static Interface,
    owner: &'static str,
}

pub(crate) fn invoices(scene: Scene<'_>, rows: &[Row]) -> rusqlite::Result<Vec<Json>> {
    let parts = [part("items", &INVOICE_ITEM)];
    with_parts(scene, &INVOICE, rows, &parts, |members| {
        members.put("comments", Vec::new());
    })
}

pub(crate) fn shipments(scene: Scene<'_>, rows: &[Row]) -> rusqlite::Result<Vec<Json>> {
    let parts = [part("items", &SHIPMENT_ITEM), part("tracks", &TRACK)];
    with_parts(scene, &SHIPMENT, rows, &parts, |members| {
        members.put("packages", Vec::new());
        members.put("comments", Vec::new());
        // An empty map, as PHP writes it.
        members.put("extension_attributes", Vec::new());
    })
}

pub(crate) fn credit_memos(scene: Scene<'_>, rows: &[Row]) -> rusqlite::Result<Vec<Json>> {
    let parts = [
        part("items", &CREDIT_MEMO_ITEM),
        part("comments", &CREDIT_MEMO_COMMENT),
    ];
    with_parts(scene, &CREDIT_MEMO, rows, &parts, |_| {})
}

const fn part(name: &'static str, interface: &'static Interface) -> Part {
    Part {
        name,
        interface,
        owner: "parent_id",
    }
}

fn with_parts(
    scene: Scene<'_>,
    interface: &Interface,
    rows: &[Row],
    parts: &[Part],
    finish: impl Fn(&mut Members<'_>),
) -> rusqlite::Result<Vec<Json>> {
    let Scene { config, wanted, .. } = scene;
    let ids: Vec<i64> = rows.iter().filter_map(|row| row.int("entity_id")).collect();
    let mut owned: Vec<ByOwner> = Vec::new();
    for part in parts {
        owned.push(match wanted.has(part.name) {
            true => scene.reading.owned(part.interface.table, part.owner, &ids)?,
            false => ByOwner::new(),
        });
    }
    let document = |row: &Row| {
        let mut members = interface.members(row, config, wanted);
        let id = row.int("entity_id").unwrap_or_default();
        for (part, owned) in parts.iter().zip(&owned) {
            let rows = owned.get(&id).map_or(&[][..], Vec::as_slice);
            let inner = wanted.of(part.name);
            let list: Vec<Json> = rows
                .iter()
                .map(|row| part.interface.members(row, config, inner).finish())
                .collect();
            members.put(part.name, list);
        }
        finish(&mut members);
        members.finish()
    };
    Ok(rows.iter().map(document).collect())
}

/// Returns transactions, each with those that have it as their parent.
pub(crate) fn transactions(scene: Scene<'_>, rows: &[Row]) -> rusqlite::Result<Vec<Json>> {
    let ids: Vec<i64> = rows.iter().filter_map(|row| row.int("transaction_id")).collect();
    let children = match scene.wanted.has("child_transactions") {
        true => scene.reading.owned(TRANSACTION.table, "parent_id", &ids)?,
        false => ByOwner::new(),
    };
    let one = |row: &Row, children: Vec<Json>| {
        let mut members = TRANSACTION.members(row, scene.config, scene.wanted);
        members.put("additional_information", Vec::new());
        members.put("child_transactions", children);
        members.finish()
    };
    let document = |row: &Row| {
        let id = row.int("transaction_id").unwrap_or_default();
        let nested = children.get(&id).map_or(&[][..], Vec::as_slice);
        one(row, nested.iter().map(|row| one(row, Vec::new())).collect())
    };
    Ok(rows.iter().map(document).collect())
}
