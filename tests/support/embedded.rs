//! An embedded shop beside an installation: the quick source of tests that are not about MariaDB.

use std::collections::BTreeSet;
use std::path::PathBuf;

use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::EmulatorHandle;

use crate::support::daemon::{Installation, now};
use crate::support::edge;
use crate::support::oracle::{self, Expected};

/// The shop's past, in milliseconds.
const PAST: i64 = 60 * 86_400_000;

/// An installation with a shop as its source.
pub struct ShopHouse {
    /// Configuration, store, log.
    pub installation: Installation,
    /// The shop, which makes up what happens next.
    pub shop: Shop,
    file: EmbeddedShop,
    path: PathBuf,
}

impl ShopHouse {
    /// A shop with a history of `orders`, for the edge at `url`.
    pub fn new(url: &str, orders: usize) -> Self {
        let source =
            "[source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"shop.db\"\npoll_interval = \"50ms\"\n";
        let installation = Installation::new(&edge::config(url, source));
        let path = installation.path("shop.db");
        let mut file = EmbeddedShop::open(&path).unwrap();
        let shop = Shop::new(ShopOptions {
            seed: 11,
            ..ShopOptions::default()
        });
        file.commit(&shop.open_statements()).unwrap();
        let mut house = Self {
            installation,
            shop,
            file,
            path,
        };
        house.live_through(orders);
        house
    }

    /// Writes the whole life of `orders` more orders.
    pub fn live_through(&mut self, orders: usize) {
        let to = now();
        let span = Span {
            orders,
            from: to.plus_millis(-PAST),
            to,
        };
        for batch in history::batches(&mut self.shop, span) {
            self.file.commit(&batch).unwrap();
        }
    }

    /// The next thing that shoppers and merchants do.
    pub fn act(&mut self) {
        let transaction = self.shop.next_action(now());
        self.file.commit(&transaction.statements).unwrap();
    }

    /// A new order; its entity id.
    pub fn place(&mut self) -> i64 {
        let placed = self.shop.place(now());
        self.file.commit(&placed.statements).unwrap();
        placed.order_id
    }

    /// A connection to the shop's database.
    pub fn sql(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(&self.path).unwrap();
        conn.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        conn
    }

    /// What its tables call for.
    pub fn expected(&self) -> BTreeSet<Expected> {
        oracle::expected_in_sqlite(&self.sql(), &Shop::website_codes())
    }

    /// Whether the edge has as many events as the tables call for, and the daemon nothing left to do.
    pub fn is_served(&self, edge: &EmulatorHandle, events: usize) -> bool {
        edge.unique_ids() >= events && self.installation.is_settled()
    }
}
