//! Returns (RMA): requested, authorized, received, processed; or denied. The order's own rows do not change, and the
//! row of a return has no `updated_at`: changes show only in its status and history.

use crate::amount::Amount;
use crate::orders::model::{Order, Return, ReturnStage, State};
use crate::orders::recorder::Recorder;
use crate::orders::rows;
use crate::sql::{Value, cells};

/// Returns true if a shipped item is not part of a return yet.
pub(crate) fn returnable(order: &Order) -> bool {
    order.state != State::Holded && (0..order.items.len()).any(|i| available(order, i) > Amount::ZERO)
}

/// Requests a return.
pub(crate) fn request(recorder: &mut Recorder<'_>, order: &mut Order) {
    let id = recorder.id("magento_rma");
    let there: Vec<usize> = (0..order.items.len())
        .filter(|&i| available(order, i) > Amount::ZERO)
        .collect();
    let all = recorder.chance(40);
    let picked: Vec<usize> = if all { there } else { vec![recorder.one_of(&there)] };
    let number = recorder.number("magento_rma", order.store);
    let cells = cells! {
        "entity_id": id,
        "status": "pending",
        "is_active": 1,
        "increment_id": number,
        "date_requested": recorder.at,
        "order_id": order.id,
        "order_increment_id": order.number.clone(),
        "store_id": rows::store_id(order),
        "customer_id": order.person.customer_id,
        "customer_custom_email": Value::Null,
        "protect_code": format!("{:032x}", id.wrapping_mul(0x9E37_79B9)),
    };
    recorder.insert("magento_rma", cells);
    let items = picked
        .into_iter()
        .map(|index| {
            (
                request_item(recorder, order, id, index),
                index,
                available(order, index),
            )
        })
        .collect();
    let opened = Return {
        id,
        stage: ReturnStage::Pending,
        items,
    };
    for &(_, index, qty) in &opened.items {
        order.items[index].returned += qty;
    }
    history(recorder, id, "pending", Some("We placed your Return request."));
    order.returns.push(opened);
}

/// Moves the oldest open return to its next stage.
pub(crate) fn advance(recorder: &mut Recorder<'_>, order: &mut Order) {
    let denied = recorder.chance(15);
    let Some(open) = order
        .returns
        .iter_mut()
        .find(|one| one.stage != ReturnStage::Over)
    else {
        return;
    };
    let (stage, status, item_status, column) = match open.stage {
        ReturnStage::Pending if denied => (ReturnStage::Over, "closed", "denied", None),
        ReturnStage::Pending => (
            ReturnStage::Authorized,
            "authorized",
            "authorized",
            Some("qty_authorized"),
        ),
        ReturnStage::Authorized => (
            ReturnStage::Received,
            "received",
            "received",
            Some("qty_returned"),
        ),
        ReturnStage::Received if denied => (ReturnStage::Over, "closed", "rejected", None),
        ReturnStage::Received | ReturnStage::Over => (
            ReturnStage::Over,
            "processed_closed",
            "approved",
            Some("qty_approved"),
        ),
    };
    open.stage = stage;
    for &(row, _, qty) in &open.items {
        let mut cells = cells! { "status": item_status };
        cells.extend(column.map(|column| (column, qty.into())));
        recorder.update("magento_rma_item_entity", "entity_id", row, cells);
    }
    let id = open.id;
    recorder.update("magento_rma", "entity_id", id, cells! { "status": status });
    history(recorder, id, status, None);
}

/// Returns the quantity shipped under this item and not yet part of a return. The parts of a bundle are returned
/// under the item that was shipped.
fn available(order: &Order, index: usize) -> Amount {
    let item = &order.items[index];
    let shipped_here = match item.parent {
        Some(parent) => order.items[parent].ships_separately(),
        None => true,
    };
    if shipped_here {
        item.shipped - item.returned
    } else {
        Amount::ZERO
    }
}

fn request_item(recorder: &mut Recorder<'_>, order: &Order, rma: i64, index: usize) -> i64 {
    let id = recorder.id("magento_rma_item_entity");
    let (item, sku) = (&order.items[index], rows::sku(order, index));
    let cells = cells! {
        "entity_id": id,
        "rma_entity_id": rma,
        "is_qty_decimal": !item.ordered.is_whole(),
        "qty_requested": available(order, index),
        "qty_authorized": Value::Null,
        "qty_returned": Value::Null,
        "qty_approved": Value::Null,
        "status": "pending",
        "order_item_id": item.id,
        "product_name": item.product.name,
        "product_sku": sku,
        "product_admin_name": item.product.name,
        "product_admin_sku": sku,
        "product_options": item.options.clone(),
    };
    recorder.insert("magento_rma_item_entity", cells);
    id
}

fn history(recorder: &mut Recorder<'_>, rma: i64, status: &'static str, comment: Option<&'static str>) {
    let id = recorder.id("magento_rma_status_history");
    let cells = cells! {
        "entity_id": id,
        "rma_entity_id": rma,
        "is_customer_notified": 0,
        "is_visible_on_front": 1,
        "is_admin": 1,
        "comment": comment,
        "status": status,
        "created_at": recorder.at,
    };
    recorder.insert("magento_rma_status_history", cells);
}
