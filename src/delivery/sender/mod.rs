//! The sender of one website: takes ready batches from the outbox, keeps the lanes busy, and settles the answers.
//!
//! One task owns the state; lanes are tasks that make one delivery each and report it. The parts:
//!
//! | file | part |
//! |---|---|
//! | `control` | decides, without I/O, what may be sent and what an answer means |
//! | `queue` | batches taken from the store, and the requests made of them |
//! | `ledger`, `settle` | outcomes and states that are being written into the store |
//! | `lane`, `answer` | one request as a task, and its report |
//! | `pause_gate` | holds requests back while a pause is being applied |
//! | `start`, `drain` | starts requests; ends the sender |
//! | `log` | log entries, limited in number |

mod answer;
pub(crate) mod control;
mod drain;
mod lane;
mod ledger;
mod log;
mod pause_gate;
mod queue;
mod settle;
mod start;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::delivery::context::{DeliveryError, Drained};
use crate::delivery::edge_client::{EdgeClient, Shared, same_destination};
use crate::delivery::sender::answer::RequestOutcome;
use crate::delivery::sender::control::Control;
use crate::delivery::sender::control::decide::Step;
use crate::delivery::sender::control::health::{Health, Permit};
use crate::delivery::sender::lane::{Delivery, LaneContext};
use crate::delivery::sender::ledger::Ledger;
use crate::delivery::sender::log::SenderLog;
use crate::delivery::sender::pause_gate::PauseGate;
use crate::delivery::sender::queue::Queue;
use crate::delivery::sender::settle::Effect;
use crate::delivery::stats::LaneGauge;
use crate::store::meta::WebsiteId;
use crate::store::outbox::Class;
use crate::store::{Durability, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

/// Longest sleep. Bounded, so that a wall clock that is set meanwhile is noticed.
const MAX_SLEEP: Duration = Duration::from_secs(600);

/// The sender of one website; performs what its [`Control`] decides.
pub(crate) struct Sender {
    website: WebsiteId,
    code: Arc<str>,
    shared: Arc<Shared>,
    clients: watch::Receiver<Arc<EdgeClient>>,
    client: Arc<EdgeClient>,
    lane: LaneContext,
    control: Control,
    queue: Queue,
    ledger: Ledger,
    deliveries: JoinSet<Delivery>,
    log: SenderLog,
    gauge: Arc<LaneGauge>,
    sent_requests: u64,
}

/// The signals that end a sender.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown {
    /// Starts no new requests; those in flight have the stop budget.
    pub(crate) stop: CancellationToken,
    /// Ends at once.
    pub(crate) abort: CancellationToken,
}

impl Sender {
    /// Creates the sender of a website in the state that the store keeps. Returns `None` if it has no datastream.
    pub(crate) async fn prepare(
        website: WebsiteId,
        code: &str,
        shared: Arc<Shared>,
        clients: watch::Receiver<Arc<EdgeClient>>,
        stop: CancellationToken,
    ) -> Result<Option<Self>, DeliveryError> {
        let client = Arc::clone(&clients.borrow());
        let Some(destination) = client.destination(code, &shared) else {
            return Ok(None);
        };
        let rows = shared.store.read(|reader| reader.senders()).await?;
        let row = rows.into_iter().find(|row| row.website == website);
        let health = Health::restore(website, row.clone(), shared.clock.now());
        let code: Arc<str> = code.into();
        Ok(Some(Self {
            website,
            clients,
            lane: LaneContext {
                store: shared.store.clone(),
                destination: Arc::new(destination),
                stats: Arc::clone(&shared.stats),
                gate: Arc::new(PauseGate::default()),
                stop,
                website: Arc::clone(&code),
            },
            queue: Queue::new(shared.store.in_flight().of_sender()),
            ledger: Ledger::new(row.unwrap_or_else(|| health.row().clone())),
            control: Control::new(health, client.config.delivery.clone(), || fastrand::u64(..)),
            client,
            deliveries: JoinSet::new(),
            log: SenderLog::new(Arc::clone(&code)),
            gauge: shared.stats.gauge(&code),
            sent_requests: 0,
            code,
            shared,
        }))
    }

    /// Sends until a signal ends it. If the store fails, requests in flight are sent again by the next start.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<Drained, DeliveryError> {
        let mut topic = self.shared.store.subscribe(Topic::Outbox);
        while !shutdown.stop.is_cancelled() && !shutdown.abort.is_cancelled() {
            // Before the store is read, or a change between the read and the wait would be missed.
            let has_changed = topic.has_changed().unwrap_or(false);
            topic.mark_unchanged();
            let now = self.shared.clock.now();
            self.queue.is_stale |= has_changed || self.queue.next_due.is_some_and(|due| due <= now);
            let wake = self.work().await?;
            tokio::select! {
                // In this order, so that a simulated run can be repeated. Nothing starves: a commit causes no other one
                // without a delivery, no request starts while too many answers wait for a commit, and `work` checks the
                // conditions of the last two branches in every round.
                biased;
                () = shutdown.abort.cancelled() => {}
                () = shutdown.stop.cancelled() => {}
                Ok(()) = self.clients.changed() => self.reconfigure(),
                effects = self.ledger.committed() => self.apply(effects?),
                Some(delivery) = self.deliveries.join_next() => self.receive(delivery).await?,
                Ok(()) = topic.changed() => self.queue.is_stale = true,
                () = sleep_until(wake) => {}
            }
        }
        self.drain(&shutdown).await
    }

    /// Does everything that can be done without waiting for an answer or a commit. Returns the time of the next try.
    async fn work(&mut self) -> Result<Option<Instant>, DeliveryError> {
        self.gauge.begin_work();
        self.clamp_to_clock().await?;
        self.apply_pauses();
        self.report().await?;
        let wake = loop {
            self.refill().await?;
            let wake = self.start_requests();
            // Many small batches in one request can use up a page at once.
            if !self.queue.is_stale || !self.control.has_capacity(Class::Live) || wake.is_some() {
                break wake;
            }
        };
        self.ledger.start_commit(&self.shared.store);
        self.gauge
            .end_work(self.deliveries.len(), self.control.lanes.limit());
        Ok(wake)
    }

    /// Shortens all pauses to the longest possible one, after a start and where the clock was set back.
    async fn clamp_to_clock(&mut self) -> Result<(), DeliveryError> {
        let Some(latest) = self.control.clamp_to_clock(self.shared.clock.now()) else {
            return Ok(());
        };
        self.shared.pauses.clamp(latest);
        let (website, store) = (self.website, &self.shared.store);
        // Read first: a write costs a commit, and there is rarely anything to shorten.
        if store
            .read(move |reader| reader.retries_after(website, latest))
            .await?
        {
            let clamp = move |writer: &mut Writer<'_>| writer.clamp_retries(website, latest);
            store.write(Durability::Durable, clamp).await?;
        }
        self.queue.is_stale = true;
        Ok(())
    }

    /// Applies the pause that a peer asked for, also where another sender received the answer.
    fn apply_pauses(&mut self) {
        let pause = self.lane.destination.pause(self.shared.clock.now());
        self.control.health.apply_pause(pause.map(|pause| pause.until));
    }

    /// Reads ready batches, if there may be new ones and a lane could use them.
    async fn refill(&mut self) -> Result<(), DeliveryError> {
        let now = self.shared.clock.now();
        // A sender that may not send still reads: its row may have changed.
        let is_busy =
            self.control.health.permit(now) == Permit::Send && !self.control.has_capacity(Class::Live);
        if !self.queue.is_stale || is_busy {
            return Ok(());
        }
        let page = 2 * self.client.config.delivery.lanes;
        let store = &self.shared.store;
        let row = self.queue.refill(store, self.website, page, now).await?;
        if self.queue.is_idle() {
            self.shared.stats.progressed(now);
        }
        if let Some(row) = row
            && self.ledger.notices_operator(&row)
            && self.control.health.apply_operator_state(&row, now)
        {
            self.log.log_operator_state(&row);
        }
        Ok(())
    }

    /// Writes the state of the sender into the store where it changed.
    async fn report(&mut self) -> Result<(), DeliveryError> {
        let (store, health) = (&self.shared.store, &self.control.health);
        let pauses = self.shared.pauses.take_unstored();
        // Written even while an operator paused the sender: the answer was in flight at that time.
        if !pauses.is_empty() {
            let write =
                move |writer: &mut Writer<'_>| pauses.iter().try_for_each(|pause| writer.set_pause(pause));
            store.write(Durability::Durable, write).await?;
        }
        if self.ledger.report(store, &self.code, health).await? {
            self.queue.is_stale = true;
        }
        Ok(())
    }

    /// Decides about a delivery that ended, and performs what was decided.
    async fn receive(&mut self, delivery: Result<Delivery, JoinError>) -> Result<(), DeliveryError> {
        let delivery = delivery.map_err(|error| DeliveryError::Lane(error.to_string()))?;
        let now = self.shared.clock.now();
        self.shared.stats.progressed(now);
        let mut answer = delivery.answer?;
        answer.superseded = !Arc::ptr_eq(&delivery.destination, &self.lane.destination);
        self.sent_requests += u64::from(matches!(answer.outcome, RequestOutcome::Sent(..)));
        self.apply_pauses();
        for step in self.control.decide(answer, now) {
            self.perform(step, now);
        }
        // Only now: the pause that the answer asked for is part of the state.
        if delivery.closed_gate {
            self.lane.gate.open();
        }
        self.log_reminder(now).await
    }

    fn perform(&mut self, step: Step, now: UtcMillis) {
        let stats = &self.shared.stats;
        match step {
            Step::Settle(settlement) => self.ledger.unsettled.push(settlement),
            Step::HalveRequest(batches) => self.queue.halve(batches),
            Step::Release(batches) => {
                self.queue.release(batches.iter().map(|batch| batch.id));
                self.queue.is_stale = true;
            }
            Step::Log(entry) => self.log.log(entry, now),
            Step::CountRetry => stats.retries.add(1),
            Step::CountAccepted {
                delivered,
                suppressed,
                latencies,
            } => {
                stats.delivered.add(delivered);
                stats.suppressed.add(suppressed);
                for (millis, events) in latencies {
                    self.gauge.record_latency(millis, events);
                }
            }
        }
    }

    /// Applies the consequences of a commit.
    fn apply(&mut self, effects: Vec<Effect>) {
        let now = self.shared.clock.now();
        self.shared.stats.progressed(now);
        for effect in effects {
            match effect {
                Effect::Released(ids) => self.queue.release(ids),
                Effect::DueChanged => self.queue.is_stale = true,
                Effect::Suppressed(events) => self.shared.stats.suppressed.add(events),
                Effect::Split(whole, half) => {
                    self.queue.release([whole]);
                    self.queue.is_stale = true;
                    self.control.isolation.record_split(whole, half);
                }
                Effect::Parked { key, code, number } => {
                    self.shared.stats.parked.add(1);
                    self.log.log_parked(key, &code, number.as_deref(), now);
                }
            }
        }
    }

    /// Logs that delivery still fails, with the backlog, if a reminder is due.
    async fn log_reminder(&mut self, now: UtcMillis) -> Result<(), DeliveryError> {
        let Some(reminder) = self.log.take_reminder() else {
            return Ok(());
        };
        let all = self
            .shared
            .store
            .read(|reader| reader.outbox_by_website())
            .await?;
        let own = all.into_iter().find(|outbox| outbox.website == self.website);
        let pending = own.map_or(0, |own| own.pending_live + own.pending_history);
        let next_try = self.control.health.row().until.unwrap_or(now);
        self.log.log_reminder(&reminder, pending, next_try, now);
        Ok(())
    }

    /// Applies a changed configuration. Requests in flight finish as they began.
    fn reconfigure(&mut self) {
        let client = Arc::clone(&self.clients.borrow_and_update());
        let Some(destination) = client.destination(&self.code, &self.shared) else {
            return;
        };
        self.lane.destination = Arc::new(destination);
        let same = same_destination(&self.client.config, &client.config, &self.code);
        let (config, now) = (client.config.delivery.clone(), self.shared.clock.now());
        if self.control.reconfigure(config, same, now) {
            tracing::info!(
                website = &*self.code,
                "The configuration was read again, a halted sender tries again"
            );
        }
        self.client = client;
        self.queue.is_stale = true;
    }

    fn instant_of(&self, at: UtcMillis) -> Instant {
        let millis = u64::try_from(at.millis_since(self.shared.clock.now())).unwrap_or(0);
        // One millisecond more: by the wall clock a timer may fire a little early.
        Instant::now() + (Duration::from_millis(millis) + Duration::from_millis(1)).min(MAX_SLEEP)
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
