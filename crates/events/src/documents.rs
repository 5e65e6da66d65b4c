//! The content of each kind of event. The set of fields follows Adobe's Data Connection tables
//! (`help/data-connection/events-backoffice.md`); names and types follow XDM.

use std::borrow::Cow;

use crate::address::postal;
use crate::context::Profile;
use crate::facts::Fact;
use crate::items::lines::{Lines, pieces, sku};
use crate::kinds::EventKind;
use crate::limits::Unsendable;
use crate::payment::{invoice_payment, order_payment, refund_type};
use crate::text::{clean, clean_column, currency, moment};
use crate::xdm;
use crate::xdm::{Billing, Line, OrderDetails, RefundItem, Returns, Shipping, Text};
use orderfeed_model::amount::Amount;
use orderfeed_model::order::{CreditMemo, Invoice, Order, Return, ReturnItem, Shipment};

/// The part of an event that describes its document.
#[derive(Default)]
pub(super) struct Content<'a> {
    pub(super) order: OrderDetails<'a>,
    pub(super) shipping: Option<Shipping<'a>>,
    pub(super) billing: Option<Billing<'a>>,
    pub(super) lines: Vec<Line<'a>>,
}

/// Reads the documents of one order.
#[derive(Debug)]
pub(super) struct Documents<'a> {
    order: &'a Order,
    profile: Profile,
    lines: Lines<'a>,
}

impl<'a> Documents<'a> {
    pub(super) fn new(order: &'a Order, profile: Profile) -> Self {
        Self {
            order,
            profile,
            lines: Lines::new(order, profile),
        }
    }

    /// Builds the content of one event.
    pub(super) fn content(&self, fact: &Fact) -> Result<Content<'a>, Unsendable> {
        let order = self.order;
        Ok(match fact.kind {
            EventKind::Placed => self.placed(),
            EventKind::Cancelled => self.cancelled(fact),
            EventKind::ShipmentCompleted => self.shipment_completed(),
            EventKind::Invoiced => self.invoiced(find(&order.invoices, fact, |invoice| invoice.id)?),
            EventKind::ItemsShipped => {
                self.items_shipped(find(&order.shipments, fact, |shipment| shipment.id)?)
            }
            EventKind::Refunded => self.refunded(find(&order.credit_memos, fact, |memo| memo.id)?),
            EventKind::ReturnInitiated | EventKind::ReturnCompleted => {
                self.returned(find(&order.returns, fact, |request| request.id)?, fact.kind)
            }
        })
    }

    fn placed(&self) -> Content<'a> {
        let totals = &self.order.totals;
        let details = OrderDetails {
            price_total: totals.grand_total,
            currency_code: currency(&self.order.currency),
            tax_amount: totals.tax,
            // Commerce stores discounts as negative numbers; XDM expects positive ones.
            discount_amount: totals.discount.map(Amount::abs),
            created_date: moment(self.order.created_at),
            payments: order_payment(self.order),
            ..self.details()
        };
        Content {
            order: details,
            shipping: self.shipping(totals.shipping),
            billing: self.billing(),
            lines: self.lines.ordered(),
        }
    }

    fn invoiced(&self, invoice: &'a Invoice) -> Content<'a> {
        let details = OrderDetails {
            purchase_order_number: self.purchase_order_number(),
            price_total: invoice.grand_total,
            currency_code: currency(&self.order.currency),
            payments: invoice_payment(self.order, invoice.grand_total, &invoice.transaction_id),
            ..self.details()
        };
        Content {
            order: details,
            shipping: self.shipping(invoice.shipping),
            lines: self.lines.billed(&invoice.items),
            ..Content::default()
        }
    }

    fn items_shipped(&self, shipment: &'a Shipment) -> Content<'a> {
        let details = OrderDetails {
            purchase_order_number: self.purchase_order_number(),
            price_total: self.order.totals.grand_total,
            currency_code: currency(&self.order.currency),
            last_updated_date: moment(self.order.updated_at),
            payments: order_payment(self.order),
            ..self.details()
        };
        let shipping = Shipping {
            ship_date: moment(shipment.created_at),
            address: postal(&self.order.shipping_address, self.profile),
            tracking_number: self.tracking_number(shipment),
            ..self.shipping(self.order.totals.shipping).unwrap_or_default()
        };
        Content {
            order: details,
            shipping: Some(shipping),
            billing: self.billing(),
            lines: self.lines.shipped(shipment.id),
        }
    }

    fn shipment_completed(&self) -> Content<'a> {
        let details = OrderDetails {
            currency_code: currency(&self.order.currency),
            tax_amount: self.order.totals.tax,
            created_date: moment(self.order.created_at),
            payments: order_payment(self.order),
            ..self.details()
        };
        let last = self
            .order
            .shipments
            .iter()
            .map(|shipment| shipment.created_at)
            .max();
        let shipping = Shipping {
            ship_date: last.and_then(moment),
            address: postal(&self.order.shipping_address, self.profile),
            ..self.shipping(self.order.totals.shipping).unwrap_or_default()
        };
        Content {
            order: details,
            shipping: Some(shipping),
            billing: self.billing(),
            lines: self.lines.shipped_in_all(),
        }
    }

    fn cancelled(&self, fact: &Fact) -> Content<'a> {
        let details = OrderDetails {
            purchase_order_number: self.purchase_order_number(),
            last_updated_date: moment(self.order.updated_at),
            cancel_date: moment(fact.at),
            ..self.details()
        };
        Content {
            order: details,
            ..Content::default()
        }
    }

    fn refunded(&self, memo: &'a CreditMemo) -> Content<'a> {
        let lines = self.lines.billed(&memo.items);
        let currency_code = currency(&self.order.currency);
        let refund = RefundItem {
            transaction_id: clean_column(&memo.transaction_id),
            refund_amount: memo.grand_total,
            refund_reason: self.refund_reason(memo, &lines),
            refund_payment_type: self.order.payment.as_ref().and_then(refund_type),
            currency_code,
        };
        let details = OrderDetails {
            purchase_order_number: self.purchase_order_number(),
            currency_code,
            refund_total: memo.grand_total,
            last_updated_date: moment(self.order.updated_at),
            refunds: Some([refund]),
            ..self.details()
        };
        Content {
            order: details,
            lines,
            ..Content::default()
        }
    }

    /// Returns the reason of a refund where the documents prove it: a return was requested before, or the memo adjusts the
    /// price without taking an item back. Other refunds have no known reason.
    fn refund_reason(&self, memo: &CreditMemo, lines: &[Line<'_>]) -> Option<&'static str> {
        if self
            .order
            .returns
            .iter()
            .any(|request| request.requested_at <= memo.created_at)
        {
            return Some("return");
        }
        let adjusts = memo.adjustment.is_some_and(|amount| amount > Amount::ZERO);
        (adjusts && lines.is_empty()).then_some("price_adjustment")
    }

    fn returned(&self, request: &'a Return, kind: EventKind) -> Content<'a> {
        let returns = Returns {
            return_id: clean_column(&request.number).unwrap_or_else(|| Cow::Owned(request.id.to_string())),
            return_status: return_status(request, kind),
            purchase_id: self.purchase_id(),
        };
        let mut items: Vec<&ReturnItem> = request.items.iter().collect();
        items.sort_by_key(|item| item.id);
        Content {
            order: OrderDetails {
                returns: Some(returns),
                ..self.details()
            },
            lines: items
                .into_iter()
                .map(|item| self.return_line(item, kind))
                .collect(),
            ..Content::default()
        }
    }

    /// Builds the line of a returned item. Items with zero quantities are included, since the quantities show the progress
    /// of the return.
    fn return_line(&self, item: &'a ReturnItem, kind: EventKind) -> Line<'a> {
        let item_id = item.order_item_id;
        let ordered = item_id.and_then(|id| self.lines.item(id));
        let quantity = |qty: Option<Amount>| qty.and_then(pieces);
        Line {
            id: item_id.map(xdm::IdText),
            sku: clean_column(&item.sku).unwrap_or_else(|| sku(ordered, item_id.unwrap_or(item.id))),
            name: clean_column(&item.name).or_else(|| ordered.and_then(|item| clean_column(&item.name))),
            quantity: match kind {
                EventKind::ReturnInitiated => quantity(item.qty_requested),
                _ => None,
            },
            price_total: None,
            discount_amount: None,
            currency_code: None,
            selected_options: item_id.map(|id| self.lines.options(id)).unwrap_or_default(),
            return_item: Some(xdm::ReturnItem {
                return_status: clean_column(&item.status),
                return_reason: clean_column(&item.reason),
                return_item_condition: clean_column(&item.condition),
                return_resolution: clean_column(&item.resolution),
                return_quantity_requested: quantity(item.qty_requested),
                return_quantity_authorized: quantity(item.qty_authorized),
                return_quantity_received: quantity(item.qty_returned),
                return_quantity_approved: quantity(item.qty_approved),
            }),
        }
    }

    /// Returns the order fields that all kinds share.
    fn details(&self) -> OrderDetails<'a> {
        OrderDetails {
            purchase_id: self.purchase_id(),
            ..OrderDetails::default()
        }
    }

    fn purchase_id(&self) -> Text<'a> {
        clean(&self.order.number)
    }

    /// Returns the purchase order number in the full profile. It is free text and may name a person or a department.
    fn purchase_order_number(&self) -> Text<'a> {
        match self.profile {
            Profile::Anonymized => None,
            Profile::Full => self
                .order
                .payment
                .as_ref()
                .and_then(|payment| clean_column(&payment.po_number)),
        }
    }

    /// Returns shipping method and amount, or `None` if the order is never shipped.
    fn shipping(&self, amount: Option<Amount>) -> Option<Shipping<'a>> {
        let shipping_method = clean_column(&self.order.shipping_method);
        let shipping_amount = amount.filter(|amount| shipping_method.is_some() || *amount != Amount::ZERO);
        let currency_code = shipping_amount.and(currency(&self.order.currency));
        let known = shipping_method.is_some() || shipping_amount.is_some();
        known.then(|| Shipping {
            shipping_method,
            shipping_amount,
            currency_code,
            ..Shipping::default()
        })
    }

    fn billing(&self) -> Option<Billing<'a>> {
        postal(&self.order.billing_address, self.profile).map(|address| Billing { address })
    }

    /// Returns the tracking number in the full profile: it leads to a person's door.
    ///
    /// XDM types it as a number, so it is sent only if the shipment has a single track whose number keeps all its digits.
    fn tracking_number(&self, shipment: &Shipment) -> Option<u64> {
        const EXACT_IN_A_DOUBLE: u64 = 1 << 53;
        let [track] = shipment.tracks.as_slice() else {
            return None;
        };
        let number = track.number.as_deref()?.trim();
        let survives = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number
            .parse()
            .ok()
            .filter(|number| survives && *number <= EXACT_IN_A_DOUBLE);
        number.filter(|_| self.profile == Profile::Full)
    }
}

/// Returns the document of a fact, unless the order no longer holds it.
fn find<'a, T>(documents: &'a [T], fact: &Fact, id: impl Fn(&T) -> i64) -> Result<&'a T, Unsendable> {
    let found = documents.iter().find(|document| id(document) == fact.document_id);
    found.ok_or(Unsendable::DocumentGone {
        kind: fact.kind,
        document_id: fact.document_id,
    })
}

/// Returns the status of a return. For `return_initiated` that is its first status in the history: read late, the current
/// status could already be a closed one.
fn return_status(request: &Return, kind: EventKind) -> Text<'_> {
    let first = || request.history.iter().min_by_key(|change| change.id);
    match kind {
        EventKind::ReturnInitiated => first().and_then(|change| clean_column(&change.status)),
        _ => None,
    }
    .or_else(|| clean_column(&request.status))
}
