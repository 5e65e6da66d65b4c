//! Whether the daemon works, told from progress and not from a timer that would go on ticking in a daemon that hangs:
//! the store answers a transaction that does nothing, the schedules tick, the senders decide, requests in flight end.
//! An edge or a source that is down is no reason to restart: nothing of this waits for them without a limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::config::Config;
use crate::daemon::lifecycle::vitals::Vitals;
use crate::delivery::DeliveryStats;
use crate::store::{Durability, Store, StoreError};

/// The schedules tick every second; so much later they hang.
const TICK_LIMIT: Duration = Duration::from_secs(60);
/// A sender decides within milliseconds, unless the disk is very slow.
const WORK_LIMIT: Duration = Duration::from_secs(120);
/// What a request in flight gets beyond its own limits: one `delivery.timeout` for a token, one for itself, and to be
/// written down.
const FLIGHT_MARGIN: Duration = Duration::from_secs(60);

/// Looks for signs of life.
#[derive(Clone, Debug)]
pub(crate) struct Liveness {
    pub(crate) store: Store,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) stats: Arc<DeliveryStats>,
    pub(crate) config: watch::Receiver<Arc<Config>>,
}

/// What was seen.
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
    /// What hangs, or `None` if nothing does. The store gets `patience` to answer.
    pub(crate) async fn hangs(&self, patience: Duration) -> Option<&'static str> {
        let store_answered = timeout(patience, self.store_answers()).await.is_ok();
        let delivery = self.stats.snapshot();
        verdict(&Signs {
            store_answered,
            since_tick: self.vitals.since_tick(),
            longest_work: delivery.longest_work,
            in_flight: delivery.lanes.iter().map(|(_, in_use, _)| in_use).sum(),
            since_progress: delivery.since_progress,
            request_timeout: self.config.borrow().delivery.timeout.get(),
        })
    }

    /// Goes through the writer and both readers. A store that answers with a failure is alive; the failure ends the daemon
    /// by another way.
    async fn store_answers(&self) {
        let read = || self.store.read(|_| Ok::<_, StoreError>(()));
        let write = self.store.write(Durability::Relaxed, |_| Ok::<_, StoreError>(()));
        let _ = tokio::join!(write, read(), read());
    }
}

fn verdict(signs: &Signs) -> Option<&'static str> {
    let flight = 3 * signs.request_timeout + FLIGHT_MARGIN;
    match signs {
        Signs {
            store_answered: false,
            ..
        } => Some("the store does not answer"),
        signs if signs.since_tick > TICK_LIMIT => Some("the schedules do not tick"),
        signs if signs.longest_work > WORK_LIMIT => Some("a sender does not come to a decision"),
        signs if signs.in_flight > 0 && signs.since_progress > flight => {
            Some("requests in flight do not end")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_named_and_an_idle_daemon_does_not() {
        let long = Duration::from_secs(3600);
        let idle = Signs {
            store_answered: true,
            since_progress: long,
            request_timeout: Duration::from_secs(30),
            ..Signs::default()
        };
        assert_eq!(verdict(&idle), None, "nothing in flight, so nothing has to move");
        let in_flight = Signs { in_flight: 1, ..idle };
        let patient = Signs {
            request_timeout: long,
            ..in_flight
        };
        assert_eq!(verdict(&patient), None, "as long as the request may take");
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
            assert!(verdict(&signs).unwrap().contains(word), "{signs:?}");
        }
    }

    #[tokio::test]
    async fn a_store_that_works_answers() {
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
