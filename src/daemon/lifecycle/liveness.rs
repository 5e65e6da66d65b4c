//! Liveness of the daemon, judged by progress: the store answers an empty transaction, the schedules tick, the senders
//! decide, requests in flight end. A timer alone would continue to tick in a daemon that hangs. An edge or a source that
//! is down is no reason for a restart, so none of these wait for them without a limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::config::Config;
use crate::daemon::lifecycle::vitals::Vitals;
use crate::delivery::DeliveryStats;
use crate::store::{Durability, Store, StoreError};

/// The schedules tick every second.
const TICK_LIMIT: Duration = Duration::from_secs(60);
/// A sender decides within milliseconds unless the disk is very slow.
const DECISION_LIMIT: Duration = Duration::from_secs(120);
/// Time for a request in flight beyond its own limits (`delivery.timeout` for a token and for the request itself), such as
/// for the transaction that settles it.
const IN_FLIGHT_MARGIN: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) struct Liveness {
    pub(crate) store: Store,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) stats: Arc<DeliveryStats>,
    pub(crate) config: watch::Receiver<Arc<Config>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Signs {
    store_answered: bool,
    since_tick: Duration,
    longest_work: Duration,
    in_flight: usize,
    since_progress: Duration,
    request_timeout: Duration,
}

impl Liveness {
    /// Returns the part that hangs, if any. The store has `limit` to answer.
    pub(crate) async fn hangs(&self, limit: Duration) -> Option<&'static str> {
        let store_answered = timeout(limit, self.store_answers()).await.is_ok();
        // After the store's answer, which may have taken until the limit.
        let delivery = self.stats.snapshot();
        hanging_part(&Signs {
            store_answered,
            since_tick: self.vitals.since_tick(),
            longest_work: delivery.longest_work,
            in_flight: delivery.lanes.iter().map(|(_, in_use, _)| in_use).sum(),
            since_progress: delivery.since_progress,
            request_timeout: self.config.borrow().delivery.timeout.get(),
        })
    }

    async fn store_answers(&self) {
        // The writer and both readers. An error is an answer, too; it ends the daemon by other means.
        let read = || self.store.read(|_| Ok::<_, StoreError>(()));
        let write = self.store.write(Durability::Relaxed, |_| Ok::<_, StoreError>(()));
        let _ = tokio::join!(write, read(), read());
    }
}

fn hanging_part(signs: &Signs) -> Option<&'static str> {
    let in_flight_limit = 3 * signs.request_timeout + IN_FLIGHT_MARGIN;
    match signs {
        Signs {
            store_answered: false,
            ..
        } => Some("the store does not answer"),
        signs if signs.since_tick > TICK_LIMIT => Some("the schedules do not tick"),
        signs if signs.longest_work > DECISION_LIMIT => Some("a sender does not decide"),
        // Only with requests in flight: an idle daemon makes no progress.
        signs if signs.in_flight > 0 && signs.since_progress > in_flight_limit => {
            Some("requests in flight do not end")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hanging_part_is_named_and_an_idle_daemon_does_not_hang() {
        let long = Duration::from_secs(3600);
        let idle = Signs {
            store_answered: true,
            since_progress: long,
            request_timeout: Duration::from_secs(30),
            ..Signs::default()
        };
        assert_eq!(hanging_part(&idle), None, "nothing is in flight");
        let in_flight = Signs { in_flight: 1, ..idle };
        let patient = Signs {
            request_timeout: long,
            ..in_flight
        };
        assert_eq!(hanging_part(&patient), None, "the request may take longer");
        let cases = [
            (
                Signs {
                    store_answered: false,
                    ..idle
                },
                "store",
            ),
            (
                Signs {
                    since_tick: long,
                    ..idle
                },
                "schedules",
            ),
            (
                Signs {
                    longest_work: long,
                    ..idle
                },
                "sender",
            ),
            (in_flight, "in flight"),
        ];
        for (signs, word) in cases {
            assert!(hanging_part(&signs).unwrap().contains(word), "{signs:?}");
        }
    }

    #[tokio::test]
    async fn a_working_store_answers() {
        let (_dir, store) = crate::store::testing::fresh();
        let vitals = Vitals::new(orderfeed_model::clock::UtcMillis(0));
        vitals.scheduled();
        let (_keep, config) = watch::channel(Arc::new(Config::default()));
        let liveness = Liveness {
            store,
            vitals,
            stats: Arc::default(),
            config,
        };
        assert_eq!(liveness.hangs(Duration::from_secs(20)).await, None);
    }
}
