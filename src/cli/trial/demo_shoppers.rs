//! The shop of the demo: simulated shoppers and merchants, and the orders of visitors of its pages.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_demo_storefront::CheckOut;
use orderfeed_model::clock::Clock;

/// Age of the oldest order in the shop's history.
const HISTORY_MS: i64 = 30 * 86_400_000;

/// The shop, its file, and the number of actions in it.
pub(crate) struct Simulation {
    shop: Shop,
    file: EmbeddedShop,
    pub(crate) actions: Arc<AtomicU64>,
}

impl Simulation {
    /// Opens the shop in `dir`. A new one gets a history of orders.
    pub(crate) fn open(dir: &Path, orders: u32, seed: u64) -> anyhow::Result<Self> {
        let mut file = EmbeddedShop::open(&dir.join("shop.db"))?;
        let fresh = file.is_empty()?;
        let options = ShopOptions {
            seed,
            first_id: file.next_free_id()?,
            ..ShopOptions::default()
        };
        let mut shop = Shop::new(options);
        // A kept shop continues with the orders it has.
        if fresh {
            file.commit(&shop.open_statements())?;
            let now = Clock::System.now();
            let span = Span {
                orders: orders as usize,
                from: now.plus_millis(-HISTORY_MS),
                to: now,
            };
            for batch in history::batches(&mut shop, span) {
                file.commit(&batch)?;
            }
        }
        Ok(Self {
            shop,
            file,
            actions: Arc::default(),
        })
    }

    /// Acts at `rate` and places the orders of visitors, until `stop`.
    pub(crate) fn run(
        &mut self,
        rate: f64,
        mut orders: mpsc::Receiver<CheckOut>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let pause = Duration::from_secs_f64(1.0 / rate);
        let mut due = tokio::time::Instant::now();
        while !stop.is_cancelled() {
            while let Ok(order) = orders.try_recv() {
                self.check_out(order)?;
            }
            let wait = due.saturating_duration_since(tokio::time::Instant::now());
            if !wait.is_zero() {
                // Short sleeps, so that a visitor's order and Ctrl-C do not wait long at a low rate.
                std::thread::sleep(wait.min(Duration::from_millis(50)));
                continue;
            }
            let action = self.shop.next_action(Clock::System.now());
            self.file.commit(&action.statements)?;
            self.actions.fetch_add(1, Ordering::Relaxed);
            due += pause;
        }
        Ok(())
    }

    fn check_out(&mut self, order: CheckOut) -> anyhow::Result<()> {
        let placed = match self.shop.check_out(&order.lines, Clock::System.now()) {
            Some((placed, transaction)) => {
                self.file.commit(&transaction.statements)?;
                self.actions.fetch_add(1, Ordering::Relaxed);
                Some(placed)
            }
            None => None,
        };
        // The visitor may have closed the page.
        let _ = order.reply.send(placed);
        Ok(())
    }
}
