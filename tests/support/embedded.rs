//! An embedded shop beside an installation: the fast source for tests that do not concern MariaDB.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::EmulatorHandle;
use orderfeed_model::clock::UtcMillis;

use crate::support::daemon::{Installation, now};
use crate::support::edge;
use crate::support::oracle::{self, Expected};

/// Length of the shop's history, in milliseconds.
const PAST: i64 = 60 * 86_400_000;

/// An installation with an embedded shop as its source.
pub struct ShopFixture {
    pub installation: Installation,
    /// The shop, which generates the next changes.
    pub shop: Shop,
    file: EmbeddedShop,
    path: PathBuf,
}

impl ShopFixture {
    /// Creates a shop with a history of `orders`, for the edge at `url`.
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
        let mut fixture = Self {
            installation,
            shop,
            file,
            path,
        };
        fixture.live_through(orders);
        fixture
    }

    /// Copies the shop's database, as a backup does.
    pub fn backup(&self) -> PathBuf {
        let copy = self.installation.path("shop-backup.db");
        let into = format!("VACUUM INTO '{}'", copy.display());
        self.sql().execute_batch(&into).unwrap();
        copy
    }

    /// Puts a copy in the place of the shop's database.
    pub fn restore(&mut self, copy: &Path) {
        // Closes the old file before its parts are removed.
        self.file = EmbeddedShop::open(copy).unwrap();
        for part in ["shop.db", "shop.db-wal", "shop.db-shm"] {
            let _ = std::fs::remove_file(self.installation.path(part));
        }
        std::fs::copy(copy, &self.path).unwrap();
        self.file = EmbeddedShop::open(&self.path).unwrap();
    }

    /// Continues with other shoppers, from the next free id of the database.
    pub fn continue_with(&mut self, seed: u64) {
        self.shop = Shop::new(ShopOptions {
            seed,
            first_id: self.file.next_free_id().unwrap(),
            ..ShopOptions::default()
        });
    }

    /// Writes `orders` more orders with all their changes.
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

    /// Performs the next change of the shop.
    pub fn act(&mut self) {
        self.act_at(now());
    }

    /// Performs the next change at this time of the shop's clock.
    pub fn act_at(&mut self, at: UtcMillis) {
        let transaction = self.shop.next_action(at);
        self.file.commit(&transaction.statements).unwrap();
    }

    /// Places an order and returns its entity id.
    pub fn place(&mut self) -> i64 {
        let placed = self.shop.place(now());
        self.file.commit(&placed.statements).unwrap();
        placed.order_id
    }

    /// Opens a connection to the shop's database.
    pub fn sql(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(&self.path).unwrap();
        conn.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        conn
    }

    /// Returns the events that the shop's tables call for.
    pub fn expected(&self) -> BTreeSet<Expected> {
        oracle::expected_in_sqlite(&self.sql(), &Shop::website_codes())
    }

    /// Returns true if the edge has `events` events and the daemon has nothing left to do.
    pub fn is_served(&self, edge: &EmulatorHandle, events: usize) -> bool {
        edge.unique_ids() >= events && self.installation.is_settled()
    }
}
