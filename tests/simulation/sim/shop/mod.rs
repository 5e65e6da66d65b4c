//! The shop as a pure model: orders, their documents, the time of each commit, and the facts they imply.
//!
//! Facts are derived from the model's own documents, independently of the code under test. They disappear only with a
//! deleted order: an order is cancelled only before anything was shipped.

mod read;

use std::collections::BTreeMap;

use fastrand::Rng;
use orderfeed_model::clock::UtcMillis;

/// Codes of the kinds in the store, with their names in identities and their rank among events of the same time.
pub const KINDS: [(u8, &str, u8); 8] = [
    (1, "placed", 1),
    (2, "invoiced", 2),
    (3, "items_shipped", 3),
    (4, "shipment_completed", 4),
    (5, "cancelled", 5),
    (6, "refunded", 7),
    (7, "return_initiated", 6),
    (8, "return_completed", 8),
];

/// Code of the event that an order is shipped completely.
pub const SHIPMENT_COMPLETED: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    pub order: i64,
    pub kind: u8,
    pub document: i64,
    /// Time in milliseconds since the epoch.
    pub at: i64,
    /// First commit of the shop that contains it.
    pub commit: u64,
}

impl Fact {
    /// Returns the sort key among its order's events, if they are found together.
    pub fn place(&self) -> (i64, u8, i64) {
        (self.at, KINDS[usize::from(self.kind) - 1].2, self.document)
    }
}

#[derive(Clone, Debug, Default)]
struct Document {
    id: i64,
    at: i64,
    pieces: i64,
    closed: Option<i64>,
}

/// An order with its documents.
#[derive(Clone, Debug, Default)]
pub struct ShopOrder {
    pub id: i64,
    /// `None` if its store view was deleted.
    pub website: Option<&'static str>,
    created: i64,
    updated: i64,
    pieces: i64,
    guest: bool,
    /// True if it has more item lines than an event can hold.
    pub huge: bool,
    /// True if its rows are invalid.
    pub broken: bool,
    pub deleted: bool,
    cancelled: Option<i64>,
    invoices: Vec<Document>,
    shipments: Vec<Document>,
    memos: Vec<Document>,
    returns: Vec<Document>,
    /// All facts that were readable at some time.
    pub facts: Vec<Fact>,
}

/// All orders, and the log of commits read by capture.
#[derive(Debug)]
pub struct Shop {
    pub orders: BTreeMap<i64, ShopOrder>,
    /// Open transactions, each with the time of its commit.
    open: Vec<(i64, ShopOrder)>,
    /// Changed order of each commit. Acknowledged entries are removed.
    pub log: BTreeMap<u64, i64>,
    pub commits: u64,
    /// True if some orders have more lines than an event can hold.
    pub has_huge: bool,
    next_id: i64,
    websites: &'static [Option<&'static str>],
}

impl Shop {
    pub fn new(websites: &'static [Option<&'static str>]) -> Self {
        Self {
            orders: BTreeMap::new(),
            open: Vec::new(),
            log: BTreeMap::new(),
            commits: 0,
            has_huge: true,
            next_id: 1,
            websites,
        }
    }

    /// Performs a random change at `now`.
    pub fn act(&mut self, rng: &mut Rng, now: i64) {
        // Commerce stores whole seconds, and the database's clock may be slightly ahead.
        let ahead = if rng.u8(..20) == 0 { rng.i64(0..30_000) } else { 0 };
        let at = (now + ahead) / 1000 * 1000;
        self.commit_due(now);
        if self.orders.is_empty() || rng.u8(..10) < 3 {
            let order = self.place(rng, at);
            // A long transaction: later ids become visible before it.
            let until = if rng.u8(..8) == 0 {
                now + rng.i64(0..90_000)
            } else {
                now
            };
            self.open.push((until, order));
            return self.commit_due(now);
        }
        let Some(mut order) = self.pick(rng) else { return };
        Self::change(&mut order, &mut self.next_id, rng, at);
        order.updated = at;
        self.commit(order);
    }

    /// Describes the last commit for the trace.
    pub fn last(&self) -> String {
        let last = self.log.last_key_value().and_then(|(_, id)| self.orders.get(id));
        last.map_or_else(String::new, |order| {
            let facts: Vec<_> = order
                .facts
                .iter()
                .map(|fact| (fact.kind, fact.document))
                .collect();
            let (id, website) = (order.id, order.website);
            format!(
                "commit {}: order {id} of {website:?}, broken {}, deleted {}, {facts:?}",
                self.commits, order.broken, order.deleted
            )
        })
    }

    /// Commits the transactions that are due.
    pub fn commit_due(&mut self, now: i64) {
        let (due, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition::<Vec<_>, _>(|(until, _)| *until <= now);
        self.open = open;
        for (_, order) in due {
            self.commit(order);
        }
    }

    /// Repairs broken orders, so that everything can be delivered.
    pub fn repair(&mut self) {
        self.commit_due(i64::MAX);
        let broken: Vec<_> = self
            .orders
            .values()
            .filter(|order| order.broken)
            .cloned()
            .collect();
        for mut order in broken {
            order.broken = false;
            self.commit(order);
        }
    }

    /// Returns the facts of all orders, including deleted ones.
    pub fn facts(&self) -> impl Iterator<Item = (&ShopOrder, &Fact)> {
        self.orders
            .values()
            .flat_map(|order| order.facts.iter().map(move |fact| (order, fact)))
    }

    fn place(&mut self, rng: &mut Rng, at: i64) -> ShopOrder {
        let id = self.next();
        ShopOrder {
            id,
            website: self.websites[rng.usize(..self.websites.len())],
            created: at,
            updated: at,
            pieces: rng.i64(1..4),
            guest: rng.u8(..4) == 0,
            huge: self.has_huge && rng.u16(..400) == 0,
            ..ShopOrder::default()
        }
    }

    fn pick(&self, rng: &mut Rng) -> Option<ShopOrder> {
        let id = rng.i64(1..self.next_id);
        let found = self
            .orders
            .range(id..)
            .next()
            .or_else(|| self.orders.iter().next());
        found
            .map(|(_, order)| order.clone())
            .filter(|order| !order.deleted)
    }

    fn change(order: &mut ShopOrder, next_id: &mut i64, rng: &mut Rng, at: i64) {
        let mut document = |pieces| {
            *next_id += 1;
            Document {
                id: *next_id,
                at,
                pieces,
                closed: None,
            }
        };
        let shipped: i64 = order.shipments.iter().map(|one| one.pieces).sum();
        let refunded: i64 = order.memos.iter().map(|one| one.pieces).sum();
        let alive = order.cancelled.is_none();
        match rng.u8(..20) {
            0..=3 if alive => order.invoices.push(document(order.pieces)),
            4..=8 if alive && shipped.max(refunded) < order.pieces => {
                let pieces = rng.i64(1..=order.pieces - shipped.max(refunded));
                order.shipments.push(document(pieces));
            }
            9..=11 if alive && refunded < order.pieces => {
                order.memos.push(document(rng.i64(1..=order.pieces - refunded)));
            }
            12 | 13 if shipped > 0 => order.returns.push(document(1)),
            14 | 15 => {
                if let Some(open) = order.returns.iter_mut().find(|one| one.closed.is_none()) {
                    open.closed = Some(at.max(open.at));
                }
            }
            16 if alive && shipped == 0 && refunded == 0 => order.cancelled = Some(at),
            17 if rng.u8(..4) == 0 => order.deleted = true,
            18 if rng.u8(..3) == 0 => order.broken = !order.broken,
            // Only the time of the row changes.
            _ => {}
        }
    }

    fn commit(&mut self, mut order: ShopOrder) {
        self.commits += 1;
        if !order.deleted {
            order.note_facts(self.commits);
        }
        self.log.insert(self.commits, order.id);
        self.orders.insert(order.id, order);
    }

    fn next(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }
}

impl ShopOrder {
    fn note_facts(&mut self, commit: u64) {
        let mut all = vec![(1, self.id, self.created)];
        all.extend(self.invoices.iter().map(|one| (2, one.id, one.at)));
        all.extend(self.shipments.iter().map(|one| (3, one.id, one.at)));
        all.extend(self.memos.iter().map(|one| (6, one.id, one.at)));
        all.extend(self.returns.iter().map(|one| (7, one.id, one.at)));
        all.extend(
            self.returns
                .iter()
                .filter_map(|one| Some((8, one.id, one.closed?))),
        );
        all.extend(self.cancelled.map(|at| (5, self.id, at)));
        let shipped: i64 = self.shipments.iter().map(|one| one.pieces).sum();
        let refunded: i64 = self.memos.iter().map(|one| one.pieces).sum();
        let last = self.shipments.iter().map(|one| one.at).max();
        if let Some(last) = last.filter(|_| shipped.max(refunded) >= self.pieces) {
            all.push((4, self.id, last));
        }
        for (kind, document, at) in all {
            let known = |fact: &Fact| fact.kind == kind && fact.document == document;
            if !self.facts.iter().any(known) {
                self.facts.push(Fact {
                    order: self.id,
                    kind,
                    document,
                    at,
                    commit,
                });
            }
        }
    }

    /// Returns the time of the row's last change, as the source reports it.
    pub fn updated_at(&self) -> UtcMillis {
        UtcMillis(self.updated)
    }

    pub fn created_at(&self) -> UtcMillis {
        UtcMillis(self.created)
    }

    pub fn number(&self) -> String {
        format!("{:09}", self.id)
    }
}
