//! The simulated shop: seeded, without clock and without I/O. The same seed, options and times give the same SQL.

pub(crate) mod catalog;
pub(crate) mod people;
pub(crate) mod stores;

use fastrand::Rng;

use crate::orders::actions;
use crate::orders::actions::{Deed, USUAL};
use crate::orders::documents;
use crate::orders::model::Order;
use crate::orders::placing;
use crate::orders::placing::Oddities;
use crate::orders::recorder::{Change, Ids, Pen};
use crate::sql::{Statement, Transaction};
use crate::tables::schema::Edition;
use orderfeed_model::clock::UtcMillis;

/// How many open orders the shop keeps in mind; beyond that it forgets one at random.
const MAX_OPEN: usize = 5_000;

/// What kind of shop it is.
#[derive(Clone, Debug)]
pub struct ShopOptions {
    /// The same seed gives the same shop.
    pub seed: u64,
    /// Goes before every table name.
    pub table_prefix: String,
    /// Without its optional tables an instance has no returns.
    pub edition: Edition,
    /// The first id and document number of every table: 1, or beyond what a database already holds.
    pub first_id: i64,
    /// Of a live shop's transactions, how many per cent are new orders.
    pub new_orders_percent: u32,
    /// Of a thousand guests, how many leave no e-mail.
    pub guests_without_email_per_mille: u32,
    /// Of a thousand orders, how many belong to a store view that was deleted (their `store_id` is null).
    pub deleted_store_views_per_mille: u32,
    /// How often each deed happens where it may.
    pub deeds: Vec<(Deed, u32)>,
}

impl Default for ShopOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            table_prefix: String::new(),
            edition: Edition::Full,
            first_id: 1,
            new_orders_percent: 25,
            guests_without_email_per_mille: 30,
            deleted_store_views_per_mille: 4,
            deeds: USUAL.to_vec(),
        }
    }
}

/// A shop with its open orders.
#[derive(Debug)]
pub struct Shop {
    options: ShopOptions,
    rng: Rng,
    ids: Ids,
    open: Vec<Order>,
}

impl Shop {
    /// An empty shop.
    pub fn new(options: ShopOptions) -> Self {
        Self {
            rng: Rng::with_seed(options.seed),
            ids: Ids::from(options.first_id),
            open: vec![],
            options,
        }
    }

    /// The website codes of the shop; `store_website` also holds Commerce's `admin`.
    pub fn website_codes() -> Vec<&'static str> {
        stores::WEBSITES.iter().map(|website| website.code).collect()
    }

    /// What an empty database needs before the first order: websites, groups, store views.
    pub fn open_statements(&self) -> Vec<Statement> {
        stores::store_rows()
            .into_iter()
            .map(|row| row.insert(&self.options.table_prefix))
            .collect()
    }

    /// What happens next: a new order, or the next step of one that is under way.
    pub fn next_action(&mut self, now: UtcMillis) -> Transaction {
        if self.open.is_empty() || self.rng.u32(..100) < self.options.new_orders_percent {
            return self.place(now);
        }
        let index = self.rng.usize(..self.open.len());
        let mut order = self.open.swap_remove(index);
        let Some(deed) = self.choose_deed(&order) else {
            return self.place(now);
        };
        let changes = self.perform(deed, &mut order, now);
        let transaction = self.transaction(now, deed.name(), order.id, changes);
        self.keep(order);
        transaction
    }

    /// A shopper places an order now.
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

    /// Places an order; one that is charged at the checkout comes with its invoice.
    pub(crate) fn new_order(&mut self, now: UtcMillis) -> (Order, Vec<Change>) {
        let oddities = Oddities {
            guests_without_email: self.options.guests_without_email_per_mille,
            deleted_store_views: self.options.deleted_store_views_per_mille,
        };
        let mut pen = self.pen(now);
        let (mut order, charged) = placing::place(&mut pen, oddities);
        if charged {
            let status = order.status;
            documents::invoice(&mut pen, &mut order, true);
            actions::finish(&mut pen, &mut order, status);
        }
        let changes = pen.changes;
        (order, changes)
    }

    /// A deed that the order's state allows, by weight.
    pub(crate) fn choose_deed(&mut self, order: &Order) -> Option<Deed> {
        let allowed = |&&(deed, _): &&(Deed, u32)| actions::allowed(deed, order, self.options.edition);
        let possible: Vec<(Deed, u32)> = self.options.deeds.iter().filter(allowed).copied().collect();
        let sum: u32 = possible.iter().map(|(_, weight)| weight).sum();
        let mut roll = if sum == 0 {
            return None;
        } else {
            self.rng.u32(..sum)
        };
        possible.into_iter().find_map(|(deed, weight)| {
            let hit = roll < weight;
            roll = roll.saturating_sub(weight);
            hit.then_some(deed)
        })
    }

    pub(crate) fn perform(&mut self, deed: Deed, order: &mut Order, now: UtcMillis) -> Vec<Change> {
        let mut pen = self.pen(now);
        actions::perform(deed, &mut pen, order);
        pen.changes
    }

    /// Remembers an order that is not settled; of those that are done, some.
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

    fn pen(&mut self, at: UtcMillis) -> Pen<'_> {
        Pen {
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
