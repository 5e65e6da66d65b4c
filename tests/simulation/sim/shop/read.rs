//! Conversion of the model's orders into those of a source.

use orderfeed_model::amount::Amount;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{
    CreditMemo, DocumentItem, Invoice, Item, Order, Return, Scope, Shipment, StatusChange, Totals,
};

use super::{Document, ShopOrder};

impl ShopOrder {
    /// Returns the order with the documents that `newer`, a later state of it, has.
    pub fn read_with_documents_of(&self, newer: &Self) -> Order {
        let documents = newer.read();
        Order {
            invoices: documents.invoices,
            shipments: documents.shipments,
            credit_memos: documents.credit_memos,
            returns: documents.returns,
            ..self.read()
        }
    }

    /// Returns the order as a source would.
    pub fn read(&self) -> Order {
        let (shipped, refunded) = (
            self.shipments.iter().map(|one| one.pieces).sum(),
            self.memos.iter().map(|one| one.pieces).sum(),
        );
        let scope = self.website.map(|website| Scope {
            website: website.to_owned(),
            store: "main".to_owned(),
            store_view: "default".to_owned(),
        });
        let item = |id: i64, pieces: i64, shipped: i64, refunded: i64| Item {
            id,
            sku: format!("SKU-{id}"),
            name: Some("A thing".to_owned()),
            product_type: Some("simple".to_owned()),
            qty_ordered: Amount::from_units(pieces),
            qty_shipped: Amount::from_units(shipped),
            qty_refunded: Amount::from_units(refunded),
            price: Some(Amount::from_units(7)),
            row_total: Some(Amount::from_units(7 * pieces)),
            ..Item::default()
        };
        let mut items = vec![item(self.id * 10_000, self.pieces, shipped, refunded)];
        if self.huge {
            items.extend((1..1_500).map(|n| item(self.id * 10_000 + n, 1, 1, 0)));
        }
        let state = if self.cancelled.is_some() {
            "canceled"
        } else {
            "processing"
        };
        Order {
            id: self.id,
            number: self.number(),
            state: state.to_owned(),
            status: Some(state.to_owned()),
            created_at: UtcMillis(self.created),
            updated_at: UtcMillis(self.updated),
            scope,
            store_id: Some(1),
            is_guest: self.guest,
            email: (!self.guest).then(|| format!("shopper{}@example.com", self.id % 7)),
            currency: Some("EUR".to_owned()),
            totals: Totals {
                grand_total: Some(Amount::from_units(7 * self.pieces)),
                ..Totals::default()
            },
            items,
            invoices: self.invoices.iter().map(|one| self.invoice(one)).collect(),
            shipments: self.shipments.iter().map(|one| self.shipment(one)).collect(),
            credit_memos: self.memos.iter().map(|one| self.memo(one)).collect(),
            returns: self.returns.iter().map(returned).collect(),
            history: self.cancelled.iter().map(|at| change("canceled", *at)).collect(),
            ..Order::default()
        }
    }

    fn invoice(&self, one: &Document) -> Invoice {
        Invoice {
            id: one.id,
            created_at: UtcMillis(one.at),
            updated_at: UtcMillis(one.at),
            grand_total: Some(Amount::from_units(7 * one.pieces)),
            items: self.lines(one),
            ..Invoice::default()
        }
    }

    fn shipment(&self, one: &Document) -> Shipment {
        Shipment {
            id: one.id,
            created_at: UtcMillis(one.at),
            updated_at: UtcMillis(one.at),
            items: self.lines(one),
            ..Shipment::default()
        }
    }

    fn memo(&self, one: &Document) -> CreditMemo {
        CreditMemo {
            id: one.id,
            created_at: UtcMillis(one.at),
            updated_at: UtcMillis(one.at),
            grand_total: Some(Amount::from_units(7 * one.pieces)),
            items: self.lines(one),
            ..CreditMemo::default()
        }
    }

    fn lines(&self, one: &Document) -> Vec<DocumentItem> {
        vec![DocumentItem {
            id: one.id,
            order_item_id: self.id * 10_000,
            qty: Amount::from_units(one.pieces),
            ..DocumentItem::default()
        }]
    }
}

fn returned(one: &Document) -> Return {
    Return {
        id: one.id,
        status: Some(if one.closed.is_some() { "closed" } else { "pending" }.to_owned()),
        requested_at: UtcMillis(one.at),
        history: one.closed.iter().map(|at| change("closed", *at)).collect(),
        ..Return::default()
    }
}

fn change(status: &str, at: i64) -> StatusChange {
    StatusChange {
        id: 1,
        status: Some(status.to_owned()),
        at: UtcMillis(at),
    }
}
