//! What the listeners share, each part behind its own lock. No lock is held across an await, and no two at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::config::EmulatorConfig;
use crate::edge::rate::RateMeter;
use crate::faults::random::FaultDice;
use crate::faults::script::{FaultStep, Pick, Script, Sighting, TlsOffer};
use crate::ims::tokens::TokenStore;
use crate::ledger::Ledger;
use orderfeed_model::clock::{Clock, UtcMillis};

/// See the module.
pub(crate) struct Shared {
    config: RwLock<Arc<EmulatorConfig>>,
    clock: Mutex<Clock>,
    tokens: Mutex<TokenStore>,
    script: Mutex<Script>,
    dice: Mutex<Option<FaultDice>>,
    meter: Mutex<RateMeter>,
    ledger: Mutex<Ledger>,
    opted_out: Mutex<Arc<HashSet<String>>>,
}

impl Shared {
    /// The state at start.
    pub(crate) fn new(config: EmulatorConfig, clock: Clock) -> Self {
        Self {
            clock: Mutex::new(clock),
            tokens: Mutex::default(),
            script: Mutex::default(),
            dice: Mutex::new(config.faults.map(FaultDice::new)),
            meter: Mutex::default(),
            ledger: Mutex::new(Ledger::new(config.ledger, config.keep_bodies)),
            opted_out: Mutex::new(Arc::new(config.opted_out_ids.iter().cloned().collect())),
            config: RwLock::new(Arc::new(config)),
        }
    }

    /// The configuration as it is now.
    pub(crate) fn config(&self) -> Arc<EmulatorConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the configuration. Random faults start anew where they changed, and the list of opted-out ids where
    /// it did.
    pub(crate) fn set_config(&self, config: EmulatorConfig) {
        let before = self.config();
        if before.faults != config.faults {
            *lock(&self.dice) = config.faults.map(FaultDice::new);
        }
        if before.opted_out_ids != config.opted_out_ids {
            *lock(&self.opted_out) = Arc::new(config.opted_out_ids.iter().cloned().collect());
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// The virtual time.
    pub(crate) fn now(&self) -> UtcMillis {
        lock(&self.clock).now()
    }

    /// Sets the virtual clock; a clock that ran with the machine stands still from here on.
    pub(crate) fn set_clock(&self, at: UtcMillis) {
        let mut clock = lock(&self.clock);
        match &*clock {
            Clock::Manual(_) => clock.set(at),
            Clock::System | Clock::Virtual(_) => *clock = Clock::manual(at),
        }
    }

    /// Lets the clock run with the machine's.
    pub(crate) fn run_clock(&self) {
        *lock(&self.clock) = Clock::System;
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, TokenStore> {
        lock(&self.tokens)
    }

    pub(crate) fn meter(&self) -> MutexGuard<'_, RateMeter> {
        lock(&self.meter)
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Who opted out, as of now.
    pub(crate) fn opted_out(&self) -> Arc<HashSet<String>> {
        Arc::clone(&lock(&self.opted_out))
    }

    /// Changes who opted out.
    pub(crate) fn change_opted_out(&self, change: impl FnOnce(&mut HashSet<String>)) {
        change(Arc::make_mut(&mut lock(&self.opted_out)));
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }

    /// Appends to the script.
    pub(crate) fn push_script(&self, steps: Vec<FaultStep>) -> Result<usize, String> {
        let tls = if self.config().tls {
            TlsOffer::Present
        } else {
            TlsOffer::Absent
        };
        self.script().push(steps, tls)
    }

    /// What a request meets: a scripted fault, else perhaps a random one (never a token request).
    pub(crate) fn fault_for(&self, seen: Sighting<'_>) -> Pick {
        let scripted = self.script().pick(seen);
        if scripted != Pick::Nothing || seen.path.starts_with("/ims/") {
            return scripted;
        }
        let rolled = lock(&self.dice).as_mut().and_then(FaultDice::roll);
        rolled.map_or(Pick::Nothing, |step| Pick::Step(Box::new(step)))
    }

    /// Back to the start: empty ledger and script, consent as configured, quota unspent, random faults from their
    /// seed. Tokens stay valid and the clock stays as it is.
    pub(crate) fn reset(&self) {
        let config = self.config();
        self.ledger().clear();
        self.script().clear();
        *self.meter() = RateMeter::default();
        *lock(&self.opted_out) = Arc::new(config.opted_out_ids.iter().cloned().collect());
        *lock(&self.dice) = config.faults.map(FaultDice::new);
    }
}

/// A panic while a lock was held leaves counters, not half-made structures: go on with what is there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
