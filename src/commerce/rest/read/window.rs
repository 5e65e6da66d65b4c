//! The window of orders that is read at once: its size, and the orders that a search for ids has returned already.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// The first window. The shop loads each order with a dozen statements.
const FIRST: usize = 50;
/// A window that takes less is doubled, and one that takes more is halved.
const FAST: Duration = Duration::from_secs(3);
const SLOW: Duration = Duration::from_secs(10);
/// Age at which orders are read again rather than used.
const OLD: Duration = Duration::from_secs(60);

/// The number of orders in a window, which adapts to the shop.
#[derive(Debug)]
pub(crate) struct WindowSize {
    size: usize,
    most: usize,
}

impl WindowSize {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            size: FIRST.min(most).max(1),
            most: most.max(1),
        }
    }

    pub(crate) fn get(&self) -> usize {
        self.size
    }

    /// Records the answer to a request for `requested` orders, of which `received` came.
    pub(crate) fn answered(&mut self, requested: usize, received: usize, took: Duration) {
        if took >= SLOW {
            self.shrink(requested);
        } else if took < FAST && received >= self.size {
            self.size = (self.size * 2).min(self.most);
        }
    }

    /// Records that a request for `requested` orders failed.
    pub(crate) fn failed(&mut self, requested: usize) {
        self.shrink(requested);
    }

    fn shrink(&mut self, requested: usize) {
        self.size = (requested / 2).clamp(1, self.size.max(1));
    }
}

/// The orders of the last window whose ids were searched: the shop loads an order for its id alone as well, so its whole
/// content is taken at once.
#[derive(Debug, Default)]
pub(crate) struct ReadAhead(Mutex<Option<HeldWindow>>);

#[derive(Debug)]
struct HeldWindow {
    read_at: Instant,
    started: UtcMillis,
    orders: HashMap<OrderId, Value>,
}

impl ReadAhead {
    /// Holds the orders of a window, and drops those of the one before. `started` is the shop's time at which their reading
    /// began.
    pub(crate) fn hold(&self, orders: HashMap<OrderId, Value>, started: UtcMillis) {
        let held = HeldWindow {
            read_at: Instant::now(),
            started,
            orders,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// Takes those of these orders that are there, with the time at which their reading began.
    pub(crate) fn take(&self, ids: &[OrderId]) -> Option<(UtcMillis, Vec<Value>)> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = held.as_mut().filter(|window| window.read_at.elapsed() < OLD)?;
        let orders: Vec<Value> = ids.iter().filter_map(|id| window.orders.remove(id)).collect();
        (!orders.is_empty()).then_some((window.started, orders))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_window_adapts_to_the_shop() {
        let mut window = WindowSize::new(300);
        window.answered(50, 50, Duration::from_millis(100));
        window.answered(100, 100, Duration::from_millis(100));
        window.answered(200, 200, Duration::from_millis(100));
        assert_eq!(window.get(), 300);
        window.answered(300, 7, Duration::from_millis(100));
        window.answered(300, 300, Duration::from_secs(5));
        assert_eq!(window.get(), 300);
        window.answered(300, 300, Duration::from_secs(12));
        assert_eq!(window.get(), 150);
        (0..20).for_each(|_| window.failed(window.get()));
        assert_eq!(window.get(), 1);
        assert_eq!(WindowSize::new(20).get(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_is_taken_once_and_only_while_it_is_fresh() {
        let ahead = ReadAhead::default();
        let hold = || ahead.hold([(7, json!({})), (8, json!({}))].into(), UtcMillis(5));
        hold();
        assert_eq!(ahead.take(&[7, 9]).unwrap().1.len(), 1);
        assert!(ahead.take(&[7]).is_none());
        tokio::time::advance(OLD).await;
        assert!(ahead.take(&[8]).is_none());
    }
}
