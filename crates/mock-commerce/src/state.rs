//! State shared by all connections, each part behind a lock of its own. No lock is held across an await.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::auth::tokens::Tokens;
use crate::config::MockConfig;
use crate::faults::{Effect, FaultScript};
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::shop::Shop;
use orderfeed_model::clock::UtcMillis;

pub(crate) struct Shared {
    config: RwLock<Arc<MockConfig>>,
    pub(crate) shop: Shop,
    nonces: Mutex<HashSet<String>>,
    tokens: Mutex<Tokens>,
    script: Mutex<FaultScript>,
    journal: Mutex<Journal>,
    ledger: Mutex<Ledger>,
}

impl Shared {
    pub(crate) fn new(config: MockConfig, shop: Shop) -> Self {
        Self {
            script: Mutex::new(FaultScript::new(config.random_faults)),
            ledger: Mutex::new(Ledger::new(config.keep_requests)),
            config: RwLock::new(Arc::new(config)),
            shop,
            nonces: Mutex::default(),
            tokens: Mutex::default(),
            journal: Mutex::default(),
        }
    }

    pub(crate) fn config(&self) -> Arc<MockConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the configuration. Random faults restart if their settings changed.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut MockConfig)) {
        let mut slot = self.config.write().unwrap_or_else(PoisonError::into_inner);
        let mut config = MockConfig::clone(&slot);
        change(&mut config);
        if slot.random_faults != config.random_faults {
            self.script().set_random(config.random_faults);
        }
        *slot = Arc::new(config);
    }

    pub(crate) fn now(&self) -> UtcMillis {
        self.config().clock.now()
    }

    /// Returns the time of the server's clock, which may be wrong.
    pub(crate) fn server_time(&self) -> UtcMillis {
        let config = self.config();
        config.clock.now().plus_millis(config.clock_offset_s * 1000)
    }

    pub(crate) fn nonces(&self) -> MutexGuard<'_, HashSet<String>> {
        lock(&self.nonces)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.tokens)
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, FaultScript> {
        lock(&self.script)
    }

    /// Picks the fault of a request to this path.
    pub(crate) fn fault_for(&self, path: &str) -> Option<Effect> {
        self.script().pick(path)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
