//! The sender of one website: takes what is ready from the outbox, keeps the lanes busy, and settles the answers.
//!
//! One task owns the state; lanes are tasks that make a delivery each and report. Acks are pipelined: a lane is free as soon
//! as its answer is there, and all answers that come in while a commit is under way are settled by the next one. That is
//! safe because a batch is kept out of the queue until its own commit is done, and because whatever depends on it only
//! becomes ready by that commit.

mod accepted;
mod answers;
mod drain;
pub(crate) mod health;
pub(crate) mod lane;
pub(crate) mod log;
pub(crate) mod poison_isolation;
pub(crate) mod queue;
pub(crate) mod settle;
mod start;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::RetryConfig;
use crate::delivery::context::{DeliveryError, Drained};
use crate::delivery::edge_client::{EdgeClient, Shared, same_destination};
use crate::delivery::limits::lanes::{InFlight, Lanes};
use crate::delivery::limits::retry_after;
use crate::delivery::sender::health::{Health, Permit};
use crate::delivery::sender::lane::{Delivery, LaneContext, PauseGate};
use crate::delivery::sender::log::SenderLog;
use crate::delivery::sender::poison_isolation::PoisonIsolation;
use crate::delivery::sender::queue::Queue;
use crate::delivery::sender::settle::{Effect, Settlement, settle};
use crate::delivery::stats::LaneGauge;
use crate::store::meta::WebsiteId;
use crate::store::outbox::in_flight::SenderBatches;
use crate::store::outbox::{BatchId, Class, SenderRow};
use crate::store::{Durability, Reader, StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

/// Sleeping longer makes no difference, and a clock that was set meanwhile is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(600);

type Settling = Pin<Box<dyn Future<Output = Result<Vec<Effect>, StoreError>> + Send>>;

/// See the module.
pub(crate) struct Sender {
    website: WebsiteId,
    code: Arc<str>,
    shared: Arc<Shared>,
    clients: watch::Receiver<Arc<EdgeClient>>,
    client: Arc<EdgeClient>,
    context: LaneContext,
    health: Health,
    /// What the store says about us, as far as we know.
    reported: SenderRow,
    reported_pause: Option<UtcMillis>,
    lanes: Lanes,
    gauge: Arc<LaneGauge>,
    isolation: PoisonIsolation,
    queue: Queue,
    /// Batches that must not be taken from the store: on their way, waiting for their commit, or in the queue's groups.
    under_way: SenderBatches,
    deliveries: JoinSet<Delivery>,
    /// The same, counted by class.
    in_flight: InFlight,
    settling: Option<Settling>,
    unsettled: Vec<Settlement>,
    /// Whether the store may hold something that the queue does not know.
    stale: bool,
    next_due: Option<UtcMillis>,
    last_probe: Option<BatchId>,
    /// When the clock was last looked at; a clock that was set back lies before it.
    seen_at: UtcMillis,
    /// Largest body that the edge takes, if it told us.
    learned_bytes: Option<usize>,
    log: SenderLog,
    finished: u64,
}

/// What ends a sender.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// No new requests; those in flight have the stop budget.
    pub(crate) stop: CancellationToken,
    /// At once.
    pub(crate) abort: CancellationToken,
}

impl Sender {
    /// A sender for `website`, in the state that the store remembers; `None` if it has no datastream.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn prepare(
        website: WebsiteId,
        code: &str,
        shared: Arc<Shared>,
        clients: watch::Receiver<Arc<EdgeClient>>,
        stop: CancellationToken,
    ) -> Result<Option<Self>, DeliveryError> {
        let client = Arc::clone(&clients.borrow());
        let Some(destination) = client.destination(code, &shared.clock) else {
            return Ok(None);
        };
        let read = move |reader: &Reader<'_>| Ok((reader.senders()?, reader.edge_pause(website)?));
        let (rows, asked) = shared.store.read(read).await?;
        let row = rows.into_iter().find(|row| row.website == website);
        let health = Health::restore(row.as_ref(), asked, shared.clock.now());
        let code: Arc<str> = code.into();
        let context = LaneContext {
            store: shared.store.clone(),
            destination: Arc::new(destination),
            stats: Arc::clone(&shared.stats),
            gate: Arc::new(PauseGate::default()),
            stop,
            website: Arc::clone(&code),
        };
        Ok(Some(Self {
            website,
            reported: row.unwrap_or_else(|| health.row(website)),
            reported_pause: asked,
            lanes: Lanes::new(client.config.delivery.lanes),
            gauge: shared.stats.gauge(&code),
            log: SenderLog::new(Arc::clone(&code)),
            code,
            clients,
            client,
            context,
            health,
            isolation: PoisonIsolation::default(),
            queue: Queue::default(),
            under_way: shared.store.in_flight().of_sender(),
            deliveries: JoinSet::new(),
            in_flight: InFlight::default(),
            settling: None,
            unsettled: Vec::new(),
            stale: true,
            next_due: None,
            last_probe: None,
            seen_at: UtcMillis(i64::MAX),
            learned_bytes: None,
            finished: 0,
            shared,
        }))
    }

    /// Sends until a signal ends it.
    ///
    /// # Errors
    /// If the store fails; what was in flight is sent again by the next start.
    pub(crate) async fn run(mut self, signals: Signals) -> Result<Drained, DeliveryError> {
        let mut topic = self.shared.store.subscribe(Topic::Outbox);
        while !signals.stop.is_cancelled() && !signals.abort.is_cancelled() {
            // Noticed before the store is read, or a change between reading and waiting would be slept through.
            self.stale |= topic.has_changed().unwrap_or(false);
            topic.mark_unchanged();
            self.notice_due();
            let wake = self.work().await?;
            tokio::select! {
                // In this order, so that a run can be repeated. Nothing starves: a commit brings no other one without a
                // delivery, deliveries end when answers wait for too many commits, and what the last two tell is looked at by
                // `work` in every round.
                biased;
                () = signals.abort.cancelled() => {}
                () = signals.stop.cancelled() => {}
                Ok(()) = self.clients.changed() => self.rewire(),
                effects = committed(&mut self.settling) => self.committed(effects?),
                Some(delivery) = self.deliveries.join_next() => self.arrived(delivery).await?,
                Ok(()) = topic.changed() => self.stale = true,
                () = sleep_until(wake) => {}
            }
        }
        self.drain(&signals).await
    }

    /// Everything that can be done without waiting for somebody. Returns when there is more to do.
    async fn work(&mut self) -> Result<Option<Instant>, DeliveryError> {
        self.gauge.begin();
        self.clamp_to_clock().await?;
        self.report().await?;
        let wake = loop {
            self.refill().await?;
            let wake = self.start_requests();
            // Many small batches in one request can use up a page at once.
            if !self.stale || !self.has_capacity(Class::Live) || wake.is_some() {
                break wake;
            }
        };
        self.settle();
        self.gauge.set(self.deliveries.len(), self.lanes.limit());
        Ok(wake)
    }

    /// No pause is longer than the longest that there is, after a start and when the clock was set back.
    async fn clamp_to_clock(&mut self) -> Result<(), DeliveryError> {
        let now = self.shared.clock.now();
        let was_set_back = now < self.seen_at;
        self.seen_at = now;
        if !was_set_back {
            return Ok(());
        }
        let longest = retry_after::LONGEST.max(self.retry().max.get());
        self.health.clamp_to_clock(now, longest);
        let (website, latest) = (self.website, now.plus_millis(health::millis(longest)));
        let store = &self.shared.store;
        if store
            .read(move |reader| reader.retries_after(website, latest))
            .await?
        {
            let hasten = move |writer: &mut Writer<'_>| writer.clamp_retries(website, latest);
            store.write(Durability::Durable, hasten).await?;
        }
        self.stale = true;
        Ok(())
    }

    /// What was to wait may be due now.
    fn notice_due(&mut self) {
        let now = self.shared.clock.now();
        self.stale |= self.next_due.is_some_and(|due| due <= now);
    }

    /// Reads what is ready, if the queue may be behind and somebody could make use of it.
    async fn refill(&mut self) -> Result<(), DeliveryError> {
        let page = 2 * self.client.config.delivery.lanes;
        let now = self.shared.clock.now();
        let open = self.health.permit(now) == Permit::Send;
        if !self.stale || (open && !self.has_capacity(Class::Live)) {
            return Ok(());
        }
        let (website, under_way) = (self.website, self.under_way.ids().clone());
        let read = self.shared.store.read(move |reader| {
            let ready = reader.ready_batches(website, now, &under_way, page)?;
            Ok((ready, reader.next_due(website, now)?, reader.senders()?))
        });
        let (ready, next_due, senders) = read.await?;
        self.stale = false;
        self.next_due = next_due;
        if ready.is_empty() && self.under_way.ids().is_empty() {
            self.shared.stats.progressed(now);
        }
        self.queue.refill(ready, page);
        if let Some(row) = senders.into_iter().find(|row| row.website == self.website)
            && row.state != self.reported.state
        {
            if self.health.apply_operator_state(&row, now) {
                self.log.log_operator_action(&row);
            }
            self.reported = row;
        }
        Ok(())
    }

    /// Hands what is decided to the writer, unless it is still busy with the last lot.
    fn settle(&mut self) {
        if self.settling.is_none() && !self.unsettled.is_empty() {
            let all = std::mem::take(&mut self.unsettled);
            self.settling = Some(Box::pin(settle(self.shared.store.clone(), all)));
        }
    }

    fn committed(&mut self, effects: Vec<Effect>) {
        self.settling = None;
        let now = self.shared.clock.now();
        self.shared.stats.progressed(now);
        for effect in effects {
            match effect {
                Effect::Free(ids) => {
                    for id in ids {
                        self.under_way.remove(id);
                    }
                }
                Effect::Due => self.stale = true,
                Effect::Suppressed(events) => self.shared.stats.suppressed(events),
                Effect::Halved(whole, half) => {
                    self.under_way.remove(whole);
                    self.isolation.split(whole, half);
                    self.stale = true;
                }
                Effect::Parked { key, code, number } => {
                    self.shared.stats.parked();
                    self.log.log_parked(key, &code, number.as_deref(), now);
                }
            }
        }
    }

    /// Writes down what we do, where it changed.
    async fn report(&mut self) -> Result<(), DeliveryError> {
        self.report_asked_pause().await?;
        let mut row = self.health.row(self.website);
        row.reason = crate::delivery::sender::log::about(&self.code, &row.reason);
        let same = (row.state, &row.code, row.until)
            == (self.reported.state, &self.reported.code, self.reported.until);
        if same || self.health.is_paused() {
            return Ok(());
        }
        self.reported = row.clone();
        self.shared
            .store
            .write(Durability::Durable, move |writer| writer.report_sender(&row))
            .await?;
        // If an operator paused us meanwhile, nothing was written; the next refill finds that.
        self.stale = true;
        Ok(())
    }

    /// Also while an operator paused us: the answer was under way then.
    async fn report_asked_pause(&mut self) -> Result<(), DeliveryError> {
        let (website, asked) = (self.website, self.health.asked());
        if let Some(until) = asked.filter(|_| asked != self.reported_pause) {
            self.reported_pause = asked;
            let note = move |writer: &mut Writer<'_>| writer.set_edge_pause(website, until);
            self.shared.store.write(Durability::Durable, note).await?;
        }
        Ok(())
    }

    /// The configuration changed. What is in flight goes on as it began.
    fn rewire(&mut self) {
        let client = Arc::clone(&self.clients.borrow_and_update());
        let Some(destination) = client.destination(&self.code, &self.shared.clock) else {
            return;
        };
        self.context.destination = Arc::new(destination);
        self.lanes.set_most(client.config.delivery.lanes);
        if !same_destination(&self.client.config, &client.config, &self.code) {
            self.learned_bytes = None;
            self.isolation = PoisonIsolation::default();
            if self.health.is_halted() {
                self.health.resume(self.shared.clock.now());
                tracing::info!(
                    website = &*self.code,
                    "Configuration changed, a halted sender tries again"
                );
            }
        }
        self.client = client;
        self.stale = true;
    }

    fn instant_of(&self, at: UtcMillis) -> Instant {
        let millis = u64::try_from(at.millis_since(self.shared.clock.now())).unwrap_or(0);
        // A timer may fire a little early as the wall clock sees it; a millisecond more makes it late.
        Instant::now() + (Duration::from_millis(millis) + Duration::from_millis(1)).min(LONGEST_SLEEP)
    }

    fn retry(&self) -> &RetryConfig {
        &self.client.config.delivery.retry
    }
}

/// The commit under way; never, if there is none.
async fn committed(settling: &mut Option<Settling>) -> Result<Vec<Effect>, StoreError> {
    match settling {
        Some(commit) => commit.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
