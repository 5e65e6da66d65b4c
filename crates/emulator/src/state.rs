//! State shared by the listeners, each part behind a lock of its own. No lock is held across an await, and no task
//! holds two.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::config::EmulatorConfig;
use crate::edge::rate::RateMeter;
use crate::faults::random::FaultDice;
use crate::faults::script::{FaultStep, Pick, Script, Sighting};
use crate::ims::tokens::TokenStore;
use crate::ledger::Ledger;
use orderfeed_model::clock::{Clock, UtcMillis};

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

    /// Returns the current configuration.
    pub(crate) fn config(&self) -> Arc<EmulatorConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the configuration. Random faults and the list of opted-out ids restart only if their settings
    /// changed.
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

    pub(crate) fn now(&self) -> UtcMillis {
        lock(&self.clock).now()
    }

    /// Sets the virtual clock. It no longer follows the machine's clock afterwards.
    pub(crate) fn set_clock(&self, at: UtcMillis) {
        let mut clock = lock(&self.clock);
        match &*clock {
            Clock::Manual(_) => clock.set(at),
            Clock::System | Clock::Virtual(_) => *clock = Clock::manual(at),
        }
    }

    /// Makes the clock follow the machine's clock.
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

    /// Returns the identities that opted out.
    pub(crate) fn opted_out(&self) -> Arc<HashSet<String>> {
        Arc::clone(&lock(&self.opted_out))
    }

    /// Changes the identities that opted out.
    pub(crate) fn change_opted_out(&self, change: impl FnOnce(&mut HashSet<String>)) {
        change(Arc::make_mut(&mut lock(&self.opted_out)));
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }

    /// Appends to the script.
    pub(crate) fn push_script(&self, steps: Vec<FaultStep>) -> Result<usize, String> {
        let has_tls = self.config().tls;
        self.script().push(steps, has_tls)
    }

    /// Returns the fault of a request: a scripted one, or else possibly a random one. Token requests meet scripted
    /// faults only.
    pub(crate) fn fault_for(&self, seen: Sighting<'_>) -> Pick {
        let scripted = self.script().pick(seen);
        if scripted != Pick::Nothing || seen.path.starts_with("/ims/") {
            return scripted;
        }
        let rolled = lock(&self.dice).as_mut().and_then(FaultDice::roll);
        rolled.map_or(Pick::Nothing, |step| Pick::Step(Box::new(step)))
    }

    /// Restores the initial state: empty ledger and script, consent as configured, unused quota, random faults from
    /// their seed. Tokens stay valid and the clock does not change.
    pub(crate) fn reset(&self) {
        let config = self.config();
        self.ledger().clear();
        self.script().clear();
        *self.meter() = RateMeter::default();
        *lock(&self.opted_out) = Arc::new(config.opted_out_ids.iter().cloned().collect());
        *lock(&self.dice) = config.faults.map(FaultDice::new);
    }
}

/// Locks a mutex and ignores poisoning: a panic can leave wrong counters behind, but no inconsistent structure.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
