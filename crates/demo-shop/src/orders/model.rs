//! An order in the shop's memory, with Commerce's state machine: permitted actions, costs, next states. Pure;
//! [`crate::orders::actions`] uses it.
//!
//! Quantities follow Commerce's notion of a dummy item: for a bundle with separate shipping the children ship, for
//! everything else the parent does; invoices and credit memos list both. Money is shared by cumulated quantity (the
//! share after, less the share before), so that documents add up to the item exactly despite rounding.

use std::ops::{Add, AddAssign, Sub};

use crate::amount::Amount;
use crate::shop::catalog::{Product, ProductKind};
use crate::shop::people::{Person, Place};
use crate::shop::stores::{Store, WEBSITES};
use orderfeed_model::words;

/// An amount in base and in order currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Money {
    pub base: Amount,
    pub shown: Amount,
}

impl Money {
    pub(crate) fn zip(self, other: Self, f: impl Fn(Amount, Amount) -> Amount) -> Self {
        Self {
            base: f(self.base, other.base),
            shown: f(self.shown, other.shown),
        }
    }

    pub(crate) fn negated(self) -> Self {
        Self::default() - self
    }
}

/// The cost of a row, a document or an order. `tax` includes `shipping_tax`; `discount` is positive here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cost {
    pub subtotal: Money,
    pub discount: Money,
    pub tax: Money,
    pub shipping: Money,
    pub shipping_tax: Money,
}

impl Cost {
    pub(crate) fn grand_total(self) -> Money {
        self.subtotal - self.discount + self.tax + self.shipping
    }

    fn zip(self, other: Self, f: impl Fn(Money, Money) -> Money) -> Self {
        Self {
            subtotal: f(self.subtotal, other.subtotal),
            discount: f(self.discount, other.discount),
            tax: f(self.tax, other.tax),
            shipping: f(self.shipping, other.shipping),
            shipping_tax: f(self.shipping_tax, other.shipping_tax),
        }
    }
}

/// Implements addition and subtraction by those of the parts.
macro_rules! arithmetic {
    ($type:ident of $part:ident) => {
        impl Add for $type {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                self.zip(other, $part::add)
            }
        }

        impl Sub for $type {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                self.zip(other, $part::sub)
            }
        }

        impl AddAssign for $type {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }
    };
}
arithmetic!(Money of Amount);
arithmetic!(Cost of Money);

words! {
    pub(crate) enum State {
        New = "new",
        PendingPayment = "pending_payment",
        PaymentReview = "payment_review",
        Processing = "processing",
        Complete = "complete",
        Closed = "closed",
        Canceled = "canceled",
        Holded = "holded",
    }
}

impl State {
    /// Returns the default status of the state.
    pub(crate) const fn default_status(self) -> &'static str {
        match self {
            Self::New => "pending",
            other => other.as_str(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub id: i64,
    pub parent: Option<usize>,
    pub product: &'static Product,
    pub options: Option<String>,
    /// For a child: quantity in one parent.
    pub per_parent: Amount,
    pub price: Money,
    pub row: Cost,
    pub ordered: Amount,
    pub invoiced: Amount,
    pub shipped: Amount,
    pub refunded: Amount,
    pub canceled: Amount,
    pub returned: Amount,
    pub touched: bool,
}

/// The data of an invoice that later actions need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invoice {
    pub id: i64,
    pub total: Money,
    pub paid: bool,
    pub refunded: Money,
}

/// The stage of a return.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReturnStage {
    Pending,
    Authorized,
    Received,
    Over,
}

/// A return: per item its row id, the index of the order item and the requested quantity.
#[derive(Clone, Debug)]
pub(crate) struct Return {
    pub id: i64,
    pub stage: ReturnStage,
    pub items: Vec<(i64, usize, Amount)>,
}

/// The payment with its transactions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payment {
    pub id: i64,
    pub method: &'static str,
    pub title: &'static str,
    pub online: bool,
    pub po_number: Option<String>,
    pub last_trans_id: Option<String>,
    /// Row id and text id of the open authorization.
    pub authorization: Option<(i64, String)>,
    pub authorized: Money,
    pub paid: Money,
    pub refunded: Money,
    pub canceled: Money,
    pub voided: bool,
}

/// An order in the shop's memory.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub id: i64,
    pub number: String,
    pub store: &'static Store,
    /// True if the store view was deleted later. Its id is NULL in every row then.
    pub store_gone: bool,
    pub person: Person,
    pub billing: (i64, Place),
    pub shipping: Option<(i64, Place)>,
    pub items: Vec<Item>,
    pub payment: Payment,
    pub cost: Cost,
    pub invoiced: Cost,
    pub refunded: Cost,
    pub canceled: Cost,
    pub paid: Money,
    pub total_refunded: Money,
    pub adjustment_positive: Money,
    pub adjustment_negative: Money,
    pub state: State,
    pub status: &'static str,
    pub before_hold: Option<(State, &'static str)>,
    pub invoices: Vec<Invoice>,
    pub shipments: Vec<i64>,
    pub returns: Vec<Return>,
    pub touched: bool,
}

impl Item {
    pub(crate) fn is_virtual(&self) -> bool {
        self.product.kind.is_virtual()
    }

    pub(crate) fn ships_separately(&self) -> bool {
        self.product.kind == ProductKind::BundleSeparately
    }

    pub(crate) fn to_invoice(&self) -> Amount {
        self.ordered - self.invoiced - self.canceled
    }

    pub(crate) fn to_refund(&self) -> Amount {
        self.invoiced - self.refunded
    }
}

impl Order {
    /// Returns the indexes of the items without a parent.
    pub(crate) fn lines(&self) -> Vec<usize> {
        (0..self.items.len())
            .filter(|&i| self.items[i].parent.is_none())
            .collect()
    }

    pub(crate) fn children(&self, parent: usize) -> Vec<usize> {
        (0..self.items.len())
            .filter(|&i| self.items[i].parent == Some(parent))
            .collect()
    }

    /// Returns the cost of the first `qty` pieces of an item.
    pub(crate) fn cost_of(&self, index: usize, qty: Amount) -> Cost {
        let item = &self.items[index];
        if item.ships_separately() {
            let parts = self.children(index).into_iter();
            return parts.fold(Cost::default(), |sum, child| {
                sum + self.cost_of(child, qty.times(self.items[child].per_parent, Amount(1)))
            });
        }
        let site = &WEBSITES[self.store.website];
        let share = |money: Money| Money {
            base: money.base.share(qty, item.ordered, site.unit),
            shown: money.shown.share(qty, item.ordered, self.store.unit),
        };
        Cost {
            subtotal: share(item.row.subtotal),
            discount: share(item.row.discount),
            tax: share(item.row.tax),
            ..Cost::default()
        }
    }

    /// Returns the remaining quantity to ship. Zero for virtual and dummy items.
    pub(crate) fn to_ship(&self, index: usize) -> Amount {
        let item = &self.items[index];
        let counted = match item.parent {
            Some(parent) => self.items[parent].ships_separately(),
            None => !item.ships_separately(),
        };
        if !counted || item.is_virtual() {
            return Amount::ZERO;
        }
        (item.ordered - item.shipped.max(item.refunded) - item.canceled).max(Amount::ZERO)
    }

    pub(crate) fn is_virtual(&self) -> bool {
        self.items.iter().all(Item::is_virtual)
    }

    pub(crate) fn can_invoice(&self) -> bool {
        let over = matches!(
            self.state,
            State::Canceled | State::Closed | State::Holded | State::PaymentReview
        );
        !over && self.has_to_invoice()
    }

    pub(crate) fn can_ship(&self) -> bool {
        (0..self.items.len()).any(|i| self.to_ship(i) > Amount::ZERO)
    }

    /// Returns true if a refund is still possible. An order without any refund counts, even if it was free or its
    /// invoice is open: it is complete, not closed.
    pub(crate) fn can_refund(&self) -> bool {
        let owed = self.invoices.iter().any(|invoice| !invoice.paid);
        owed || self.paid != self.total_refunded || self.total_refunded == Money::default()
    }

    /// Returns true if most orders in this state do not change any more, except for a credit memo or a return.
    pub(crate) fn is_done(&self) -> bool {
        let over = matches!(self.state, State::Complete | State::Closed | State::Canceled);
        over && self.returns.iter().all(|one| one.stage == ReturnStage::Over)
    }

    pub(crate) fn nothing_invoiced_or_shipped(&self) -> bool {
        self.invoices.is_empty() && self.shipments.is_empty()
    }

    /// Returns the state that follows from the invoiced, shipped and refunded quantities.
    pub(crate) fn resolved_state(&self) -> State {
        let in_process = !self.invoices.is_empty() || !self.shipments.is_empty();
        let state = match self.state {
            State::New | State::PendingPayment if in_process => State::Processing,
            other => other,
        };
        let settled = matches!(state, State::Processing | State::Complete) && !self.has_to_invoice();
        if !settled || self.can_ship() {
            return state;
        }
        if !self.can_refund() && !self.is_virtual() {
            return State::Closed;
        }
        State::Complete
    }

    /// Enters a state with its default status. Staying in a state keeps a custom status.
    pub(crate) fn enter(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.status = state.default_status();
        }
        self.touched = true;
    }

    fn has_to_invoice(&self) -> bool {
        self.lines()
            .into_iter()
            .any(|i| self.items[i].to_invoice() > Amount::ZERO)
    }
}
