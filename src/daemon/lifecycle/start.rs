//! What happens before anything runs: the lock, the store, and what the store is bound to. No network.

use crate::config::{Config, IndexMode};
use crate::store::meta::DATA_SPACE;
use crate::store::views::ViewMode;
use crate::store::{Durability, Reader, Store, StoreError, StoreLock, Writer};
use orderfeed_model::clock::Clock;

/// The store, open and ours.
#[derive(Debug)]
pub struct Opened {
    /// Held as long as this lives.
    pub lock: StoreLock,
    /// The store.
    pub store: Store,
}

/// What to do about a data space that is not the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataSpace {
    /// Refuse: every event would get a second `_id`.
    MustMatch,
    /// The operator said that this is meant (`--accept-new-data-space`).
    AcceptNew,
}

/// Why the start ended before it began.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data space changed.
    #[error(
        "services_connector.{environment}.data_space_id is {configured}, but the events in this store were made for \
         {stored}; every event would get a second _id and arrive twice. Set it back, point store.path to a new file, \
         or start once with --accept-new-data-space if that is meant"
    )]
    OtherDataSpace {
        /// `production` or `sandbox`.
        environment: &'static str,
        /// What the configuration says.
        configured: String,
        /// What the store says.
        stored: String,
    },
}

/// Takes the lock, opens the store, binds it to the data space, and takes back what a process that died was doing.
///
/// # Errors
/// See [`StartError`]; each ends the start.
pub async fn open(
    config: &Config,
    clock: &Clock,
    purpose: &str,
    data_space: DataSpace,
) -> Result<Opened, StartError> {
    let lock = StoreLock::acquire(&config.store.path, purpose)?;
    let store = Store::open(&config.store.path)?;
    take_over(&store, config, clock, data_space).await?;
    Ok(Opened { lock, store })
}

/// Binds an open store to the data space, and takes back what a process that died was doing. The caller holds the lock.
///
/// # Errors
/// See [`StartError`].
pub async fn take_over(
    store: &Store,
    config: &Config,
    clock: &Clock,
    data_space: DataSpace,
) -> Result<(), StartError> {
    bind_data_space(store, config, data_space).await?;
    let at = clock.now();
    let mode = match config.index.mode {
        IndexMode::Schedule => ViewMode::Schedule,
        IndexMode::Realtime => ViewMode::Realtime,
    };
    let (leases, runs) = store
        .write(Durability::Durable, move |writer: &mut Writer<'_>| {
            writer.init_view(mode, at)?;
            Ok((writer.void_leases(at)?, writer.fail_interrupted_runs(at)?))
        })
        .await?;
    if !leases.is_empty() || runs > 0 {
        let holder = leases
            .first()
            .map(|lease| format!("{} ({})", lease.holder, lease.pid));
        tracing::info!(
            holder,
            cron_runs = runs,
            "An earlier process ended in the middle of its work; it goes on from there"
        );
    }
    Ok(())
}

async fn bind_data_space(store: &Store, config: &Config, data_space: DataSpace) -> Result<(), StartError> {
    let configured = config.data_space_id().to_string();
    let stored = store.read(|reader: &Reader<'_>| reader.meta(DATA_SPACE)).await?;
    match stored {
        Some(stored) if stored != configured && data_space == DataSpace::MustMatch => {
            Err(StartError::OtherDataSpace {
                environment: config.services_connector.environment.as_str(),
                configured,
                stored,
            })
        }
        Some(stored) if stored == configured => Ok(()),
        _ => Ok(store
            .write(Durability::Durable, move |writer| {
                writer.set_meta(DATA_SPACE, &configured)
            })
            .await?),
    }
}
