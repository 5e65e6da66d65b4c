//! Real databases as the source: whole orders, no missed change, and clear errors.

mod capture;
mod daemon;
mod large_shop;
mod logs;
mod read;
mod statements;
mod tls;
mod trouble;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use orderfeed::commerce::mysql::MysqlSource;
use orderfeed::commerce::source::{Change, Cursors, ReadOrder, Source};
use orderfeed::config::{CaptureMode, Config, HumanDuration, MysqlConfig};
use orderfeed_demo_shop::history::Span;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Order, OrderId};

use crate::support::database::{Database, PASSWORD};

/// Longest wait for an expected result.
const PATIENCE: Duration = Duration::from_secs(30);

/// An address of this host that is not recognized as one. It stands for a host on the network.
const REMOTE: &str = "127.0x1";

/// Returns the default settings for the database at `url`.
fn at(url: impl AsRef<str>) -> MysqlConfig {
    MysqlConfig {
        url: url.as_ref().parse().unwrap(),
        ..Config::default().source.mysql
    }
}

/// Returns settings for `user`. Only the administrator `admin` has no password.
fn settings(database: &Database, user: &str) -> MysqlConfig {
    MysqlConfig {
        password: (user != "admin").then(|| PASSWORD.to_owned().into()),
        poll_overlap: HumanDuration::from_secs(3),
        ..at(database.url(user))
    }
}

fn source(database: &Database, capture: CaptureMode) -> MysqlSource {
    MysqlSource::new(MysqlConfig {
        capture,
        ..settings(database, "admin")
    })
    .unwrap()
}

/// Returns a history with `orders` orders of every kind.
fn span(orders: usize) -> Span {
    let moment = |text| UtcMillis::parse_sql(text).unwrap();
    Span {
        orders,
        from: moment("2026-01-05 00:00:00"),
        to: moment("2026-03-05 00:00:00"),
    }
}

async fn read(source: &impl Source, ids: &[OrderId]) -> Vec<Order> {
    let whole = |read| match read {
        ReadOrder::Whole(order) => *order,
        ReadOrder::Partial { order, missing } => panic!("order {}: without {missing}", order.id),
        ReadOrder::Unreadable { id, reason } => panic!("order {id}: {reason}"),
    };
    source
        .read_orders(ids)
        .await
        .unwrap()
        .into_iter()
        .map(whole)
        .collect()
}

/// Returns the notes of `describe`, except about the labels of returned items, whose tables the fixture lacks.
async fn notes(source: &impl Source) -> Vec<String> {
    let mut notes = source.describe().await.unwrap().notes;
    notes.retain(|note| !note.contains("eav_attribute"));
    notes
}

async fn ids(source: &impl Source) -> Vec<OrderId> {
    source
        .order_ids(&Default::default(), None, 100_000)
        .await
        .unwrap()
}

/// A reader of changes that keeps its cursors as the daemon does.
struct Reader<'a, S: Source> {
    source: &'a S,
    cursors: Cursors,
}

impl<'a, S: Source> Reader<'a, S> {
    /// Starts at the current position and skips the changes repeated by the first overlap.
    async fn start(source: &'a S) -> Self {
        let cursors = source.initial_cursors().await.unwrap();
        let mut reader = Self { source, cursors };
        reader.take().await;
        reader
    }

    /// Returns all changes available now.
    async fn take(&mut self) -> Vec<Change> {
        let mut all = Vec::new();
        loop {
            let captured = self.source.changes(&self.cursors, 1_000).await.unwrap();
            self.cursors = captured.cursors;
            all.extend(captured.changes);
            if !captured.more {
                self.source.acknowledge(&self.cursors).await.unwrap();
                return all;
            }
        }
    }

    /// Returns the orders with a change available now.
    async fn orders(&mut self) -> BTreeSet<OrderId> {
        self.take().await.into_iter().map(|change| change.order).collect()
    }

    /// Polls until a change satisfies `wanted`.
    async fn wait_for(&mut self, wanted: impl Fn(&Change) -> bool) -> Change {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(change) = self.take().await.into_iter().find(&wanted) {
                return change;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the change did not come within {PATIENCE:?}");
    }
}
