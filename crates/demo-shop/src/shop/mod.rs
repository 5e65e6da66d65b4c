//! The simulated shop. Seeded, without clock or I/O: the same seed, options and times give the same SQL.

pub(crate) mod catalog;
pub mod checkout;
pub(crate) mod people;
pub(crate) mod stores;

use fastrand::Rng;

use crate::orders::actions;
use crate::orders::actions::{Action, USUAL};
use crate::orders::documents;
use crate::orders::model::Order;
use crate::orders::placing;
use crate::orders::placing::Oddities;
use crate::orders::recorder::{Change, Ids, Recorder};
use crate::sql::{Statement, Transaction};
use crate::tables::schema::Edition;
use orderfeed_model::clock::UtcMillis;

/// Most open orders in memory. Beyond it the shop forgets one at random.
const MAX_OPEN: usize = 5_000;

/// Options of a simulated shop.
#[derive(Clone, Debug)]
pub struct ShopOptions {
    /// Equal seeds give equal shops.
    pub seed: u64,
    /// Prefix of every table name.
    pub table_prefix: String,
    /// Set of tables; without the optional ones there are no returns.
    pub edition: Edition,
    /// First id and document number of every table: 1, or a number beyond those already in a database.
    pub first_id: i64,
    /// Distance between ids: 1, or 3 as in a cluster of databases (Commerce Cloud Pro).
    pub id_step: i64,
    /// Share of new orders in the transactions of a live shop, in per cent.
    pub new_orders_percent: u32,
    /// Products of an order; each order takes one of these numbers.
    pub products_per_order: &'static [usize],
    /// Guests in a thousand without an e-mail address.
    pub guests_without_email_per_mille: u32,
    /// Orders in a thousand whose store view was deleted (their `store_id` is NULL).
    pub deleted_store_views_per_mille: u32,
    /// Relative frequency of each action.
    pub actions: Vec<(Action, u32)>,
}

impl Default for ShopOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            table_prefix: String::new(),
            edition: Edition::Full,
            first_id: 1,
            id_step: 1,
            new_orders_percent: 25,
            products_per_order: &[1, 1, 1, 2, 2, 3, 4],
            guests_without_email_per_mille: 30,
            deleted_store_views_per_mille: 4,
            actions: USUAL.to_vec(),
        }
    }
}

/// A simulated shop with its open orders.
#[derive(Debug)]
pub struct Shop {
    options: ShopOptions,
    rng: Rng,
    ids: Ids,
    open: Vec<Order>,
}

impl Shop {
    pub fn new(options: ShopOptions) -> Self {
        Self {
            rng: Rng::with_seed(options.seed),
            ids: Ids::from(options.first_id, options.id_step),
            open: vec![],
            options,
        }
    }

    /// Returns the website codes of the shop. `store_website` also holds Commerce's `admin`.
    pub fn website_codes() -> Vec<&'static str> {
        stores::WEBSITES.iter().map(|website| website.code).collect()
    }

    /// Returns the statements an empty database needs before the first order: websites, groups, store views.
    pub fn open_statements(&self) -> Vec<Statement> {
        stores::store_rows()
            .into_iter()
            .map(|row| row.insert(&self.options.table_prefix))
            .collect()
    }

    /// Performs the next action: a new order, or an action on an open one.
    pub fn next_action(&mut self, now: UtcMillis) -> Transaction {
        if self.open.is_empty() || self.rng.u32(..100) < self.options.new_orders_percent {
            return self.place(now);
        }
        let index = self.rng.usize(..self.open.len());
        let mut order = self.open.swap_remove(index);
        let Some(action) = self.choose_action(&order) else {
            return self.place(now);
        };
        let changes = self.perform(action, &mut order, now);
        let transaction = self.transaction(now, action.as_str(), order.id, changes);
        self.keep(order);
        transaction
    }

    /// Places an order.
    pub fn place(&mut self, now: UtcMillis) -> Transaction {
        let (order, changes) = self.new_order(now);
        let transaction = self.transaction(now, "place", order.id, changes);
        self.keep(order);
        transaction
    }

    pub(crate) fn options(&self) -> &ShopOptions {
        &self.options
    }

    pub(crate) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Places an order. An order charged at the checkout includes its invoice.
    pub(crate) fn new_order(&mut self, now: UtcMillis) -> (Order, Vec<Change>) {
        let oddities = Oddities {
            guests_without_email: self.options.guests_without_email_per_mille,
            deleted_store_views: self.options.deleted_store_views_per_mille,
        };
        let products = self.options.products_per_order;
        let mut recorder = self.recorder(now);
        let placed = placing::place(&mut recorder, products, oddities);
        let order = with_invoice(&mut recorder, placed);
        let changes = recorder.changes;
        (order, changes)
    }

    /// Picks an action that the order's state allows, by weight.
    pub(crate) fn choose_action(&mut self, order: &Order) -> Option<Action> {
        let allowed = |&&(action, _): &&(Action, u32)| actions::allowed(action, order, self.options.edition);
        let possible: Vec<(Action, u32)> = self.options.actions.iter().filter(allowed).copied().collect();
        let sum: u32 = possible.iter().map(|(_, weight)| weight).sum();
        let mut roll = if sum == 0 {
            return None;
        } else {
            self.rng.u32(..sum)
        };
        possible.into_iter().find_map(|(action, weight)| {
            let hit = roll < weight;
            roll = roll.saturating_sub(weight);
            hit.then_some(action)
        })
    }

    pub(crate) fn perform(&mut self, action: Action, order: &mut Order, now: UtcMillis) -> Vec<Change> {
        let mut recorder = self.recorder(now);
        actions::perform(action, &mut recorder, order);
        recorder.changes
    }

    /// Keeps an order in memory if it is not settled, and some of the completed ones.
    pub(crate) fn keep(&mut self, order: Order) {
        let forgettable = order.is_done() && self.rng.u32(..100) < 60;
        if forgettable || actions::settled(&order, self.options.edition) {
            return;
        }
        if self.open.len() == MAX_OPEN {
            let forgotten = self.rng.usize(..MAX_OPEN);
            self.open.swap_remove(forgotten);
        }
        self.open.push(order);
    }

    fn recorder(&mut self, at: UtcMillis) -> Recorder<'_> {
        Recorder {
            at,
            rng: &mut self.rng,
            ids: &mut self.ids,
            edition: self.options.edition,
            changes: vec![],
        }
    }

    fn transaction(
        &self,
        at: UtcMillis,
        action: &'static str,
        order_id: i64,
        changes: Vec<Change>,
    ) -> Transaction {
        let prefix = &self.options.table_prefix;
        Transaction {
            at,
            action,
            order_id,
            statements: changes
                .into_iter()
                .map(|change| change.statement(prefix))
                .collect(),
        }
    }
}

/// Adds the invoice of an order that was charged at the checkout.
fn with_invoice(recorder: &mut Recorder<'_>, (mut order, charged): (Order, bool)) -> Order {
    if charged {
        let status = order.status;
        documents::invoice(recorder, &mut order, true);
        actions::finish(recorder, &mut order, status);
    }
    order
}
