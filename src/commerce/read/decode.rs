//! Rows of the specs in [`crate::commerce::read::tables`] as the types of [`orderfeed_model::order`]. Each function reads the columns in the
//! order in which its spec lists them.

use serde::Deserialize;

use crate::commerce::read::cells::{BadCell, Cells, Row};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{
    Address, CreditMemo, DocumentItem, Invoice, Item, Order, Payment, Return, ReturnItem, Shipment,
    StatusChange, Tax, Totals, Track, Transaction,
};

type Decoded<T> = Result<T, BadCell>;

pub(crate) fn order<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<Order> {
    Ok(Order {
        id: cells.key(),
        store_id: cells.owner(),
        number: cells.text().unwrap_or_default(),
        state: cells.text().unwrap_or_default().to_lowercase(),
        status: cells.text(),
        created_at: cells.moment()?.unwrap_or_default(),
        updated_at: cells.moment()?.unwrap_or_default(),
        customer_id: cells.int()?,
        is_guest: cells.flag()?,
        email: cells.text(),
        customer_note: cells.text(),
        is_virtual: cells.flag()?,
        currency: cells.text(),
        totals: totals(cells)?,
        shipping_method: cells.text(),
        shipping_description: cells.text(),
        protect_code: cells.text(),
        ..Order::default()
    })
}

fn totals<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<Totals> {
    Ok(Totals {
        grand_total: cells.amount()?,
        subtotal: cells.amount()?,
        discount: cells.amount()?,
        tax: cells.amount()?,
        shipping: cells.amount()?,
        shipping_tax: cells.amount()?,
        invoiced: cells.amount()?,
        paid: cells.amount()?,
        refunded: cells.amount()?,
        canceled: cells.amount()?,
        qty_ordered: cells.amount()?,
    })
}

pub(crate) fn item<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<Item> {
    Ok(Item {
        id: cells.key(),
        parent_id: cells.int()?,
        product_id: cells.int()?,
        product_type: cells.text(),
        sku: cells.text().unwrap_or_default(),
        name: cells.text(),
        is_virtual: cells.flag()?,
        product_options: cells.text(),
        weight: cells.amount()?,
        qty_ordered: cells.quantity()?,
        qty_invoiced: cells.quantity()?,
        qty_shipped: cells.quantity()?,
        qty_refunded: cells.quantity()?,
        qty_canceled: cells.quantity()?,
        qty_backordered: cells.quantity()?,
        price: cells.amount()?,
        row_total: cells.amount()?,
        row_total_incl_tax: cells.amount()?,
        discount: cells.amount()?,
        tax: cells.amount()?,
        refunded: cells.amount()?,
    })
}

/// The address and its type, `billing` or `shipping`.
pub(crate) fn address<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<(Option<String>, Address)> {
    let kind = cells.text();
    let address = Address {
        first_name: cells.text(),
        last_name: cells.text(),
        company: cells.text(),
        street: cells.text(),
        city: cells.text(),
        region: cells.text(),
        region_id: cells.int()?,
        postcode: cells.text(),
        country: cells.text(),
        telephone: cells.text(),
    };
    Ok((kind, address))
}

pub(crate) fn payment<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<Payment> {
    Ok(Payment {
        method: cells.text(),
        method_title: cells.text().as_deref().and_then(method_title),
        po_number: cells.text(),
        last_transaction_id: cells.text(),
        ordered: cells.amount()?,
        paid: cells.amount()?,
        paid_online: cells.amount()?,
        authorized: cells.amount()?,
        canceled: cells.amount()?,
        refunded: cells.amount()?,
        refunded_online: cells.amount()?,
    })
}

/// `method_title` of `additional_information`; `None` if that is no JSON (before 2.2 it was PHP's own format).
fn method_title(additional_information: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Information {
        method_title: Option<serde_json::Value>,
    }
    let information: Information = serde_json::from_str(additional_information).ok()?;
    information.method_title?.as_str().map(str::to_owned)
}

pub(crate) fn transaction<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<Transaction> {
    Ok(Transaction {
        id: cells.key(),
        txn_id: cells.text(),
        kind: cells.text(),
        created_at: cells.moment()?,
    })
}

pub(crate) fn invoice<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<Invoice> {
    let mut invoice = Invoice {
        id: cells.key(),
        number: cells.text(),
        state: cells.int()?,
        ..Invoice::default()
    };
    (invoice.created_at, invoice.updated_at) = lifetime(cells)?;
    invoice.grand_total = cells.amount()?;
    invoice.shipping = cells.amount()?;
    invoice.transaction_id = cells.text();
    Ok(invoice)
}

pub(crate) fn shipment<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<Shipment> {
    let mut shipment = Shipment {
        id: cells.key(),
        number: cells.text(),
        ..Shipment::default()
    };
    (shipment.created_at, shipment.updated_at) = lifetime(cells)?;
    Ok(shipment)
}

pub(crate) fn track<R: Row>(cells: &mut Cells<'_, R>) -> Track {
    Track {
        id: cells.key(),
        carrier: cells.text(),
        title: cells.text(),
        number: cells.text(),
    }
}

pub(crate) fn credit_memo<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<CreditMemo> {
    let mut memo = CreditMemo {
        id: cells.key(),
        number: cells.text(),
        state: cells.int()?,
        ..CreditMemo::default()
    };
    (memo.created_at, memo.updated_at) = lifetime(cells)?;
    memo.grand_total = cells.amount()?;
    memo.subtotal = cells.amount()?;
    memo.tax = cells.amount()?;
    memo.shipping = cells.amount()?;
    memo.adjustment = cells.amount()?;
    memo.transaction_id = cells.text();
    Ok(memo)
}

/// A line of an invoice or a credit memo.
pub(crate) fn priced_item<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<DocumentItem> {
    let item = shipped_item(cells)?;
    Ok(DocumentItem {
        price: cells.amount()?,
        row_total: cells.amount()?,
        discount: cells.amount()?,
        tax: cells.amount()?,
        ..item
    })
}

/// A line of a shipment, which has no amounts.
pub(crate) fn shipped_item<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<DocumentItem> {
    Ok(DocumentItem {
        id: cells.key(),
        order_item_id: cells.int()?.unwrap_or_default(),
        qty: cells.quantity()?,
        ..DocumentItem::default()
    })
}

pub(crate) fn tax<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<Tax> {
    Ok(Tax {
        id: cells.key(),
        title: cells.text(),
        amount: cells.amount()?,
    })
}

pub(crate) fn status_change<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<StatusChange> {
    Ok(StatusChange {
        id: cells.key(),
        status: cells.text(),
        at: cells.moment()?.unwrap_or_default(),
    })
}

pub(crate) fn returned<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<Return> {
    Ok(Return {
        id: cells.key(),
        number: cells.text(),
        status: cells.text(),
        requested_at: cells.moment()?.unwrap_or_default(),
        ..Return::default()
    })
}

pub(crate) fn return_item<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<ReturnItem> {
    Ok(ReturnItem {
        id: cells.key(),
        order_item_id: cells.int()?,
        sku: cells.text(),
        name: cells.text(),
        status: cells.text(),
        qty_requested: cells.amount()?,
        qty_authorized: cells.amount()?,
        qty_returned: cells.amount()?,
        qty_approved: cells.amount()?,
        ..ReturnItem::default()
    })
}

/// `created_at` and `updated_at`. A document without the one has it from the other; without both it is the epoch.
fn lifetime<R: Row>(cells: &mut Cells<'_, R>) -> Decoded<(UtcMillis, UtcMillis)> {
    let (created, updated) = (cells.moment()?, cells.moment()?);
    let either = created.or(updated).unwrap_or_default();
    Ok((created.unwrap_or(either), updated.unwrap_or(either)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::read::cells::Cell;
    use crate::commerce::read::tables::Part;

    /// A row in which every cell holds the same text.
    struct Same(Option<&'static str>);

    impl Row for Same {
        fn cell(&self, _: usize) -> Cell<'_> {
            self.0.map_or(Cell::Null, |text| Cell::Text(text.as_bytes()))
        }
        fn take_text(&mut self, _: usize) -> Option<String> {
            self.0.map(str::to_owned)
        }
    }

    fn decode(part: Part, row: &mut Same) -> Decoded<usize> {
        let mut cells = Cells::new(row, part.spec());
        let cells = &mut cells;
        match part {
            Part::Orders => order(cells).map(drop),
            Part::Items => item(cells).map(drop),
            Part::Addresses => address(cells).map(drop),
            Part::Payments => payment(cells).map(drop),
            Part::Transactions => transaction(cells).map(drop),
            Part::Invoices => invoice(cells).map(drop),
            Part::InvoiceItems | Part::CreditMemoItems => priced_item(cells).map(drop),
            Part::Shipments => shipment(cells).map(drop),
            Part::ShipmentItems => shipped_item(cells).map(drop),
            Part::Tracks => {
                drop(track(cells));
                Ok(())
            }
            Part::CreditMemos => credit_memo(cells).map(drop),
            Part::CreditMemoComments => Ok(()),
            Part::Taxes => tax(cells).map(drop),
            Part::History | Part::ReturnHistory => status_change(cells).map(drop),
            Part::Returns => returned(cells).map(drop),
            Part::ReturnItems => return_item(cells).map(drop),
        }?;
        Ok(cells.consumed())
    }

    #[test]
    fn every_part_reads_exactly_the_columns_that_its_spec_lists_and_stands_nulls() {
        for part in Part::ALL {
            assert_eq!(
                decode(part, &mut Same(None)),
                Ok(part.spec().columns.len()),
                "{part:?}"
            );
        }
    }

    #[test]
    fn a_zero_date_is_absent_and_a_wrong_value_names_its_column() {
        let mut row = Same(Some("0000-00-00 00:00:00"));
        let mut cells = Cells::new(&mut row, Part::History.spec());
        assert_eq!(status_change(&mut cells).unwrap().at, UtcMillis::default());
        let bad = decode(Part::Items, &mut Same(Some("x"))).unwrap_err();
        assert_eq!(
            bad.to_string(),
            "sales_order_item.parent_item_id is not a whole number"
        );
        let bad = decode(Part::Transactions, &mut Same(Some("x"))).unwrap_err();
        assert_eq!(
            bad.to_string(),
            "sales_payment_transaction.created_at is not a date and time"
        );
    }

    #[test]
    fn the_method_title_is_found_in_json_only() {
        assert_eq!(
            method_title(r#"{"method_title":"Check \/ Money order","x":[1]}"#).unwrap(),
            "Check / Money order"
        );
        for other in [
            "",
            "[]",
            r#"{"method_title":null}"#,
            r#"{"method_title":5}"#,
            r#"a:1:{s:1:"x";i:5;}"#,
        ] {
            assert_eq!(method_title(other), None, "{other}");
        }
    }
}
