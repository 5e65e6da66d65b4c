//! The first part of a start: takes the lock, opens the store, and checks what it is bound to. Uses no network.

use crate::config::{Config, IndexMode};
use crate::store::meta::DATA_SPACE;
use crate::store::views::ViewMode;
use crate::store::{Durability, Store, StoreError, StoreLock, Writer};
use orderfeed_model::clock::Clock;

#[derive(Debug)]
pub struct Opened {
    pub lock: StoreLock,
    pub store: Store,
}

/// The reaction to a data space other than the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataSpace {
    /// Refuse the start, because every event would get a second `_id`.
    MustMatch,
    /// Bind the store to the new one (`--accept-new-data-space`).
    AcceptNew,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "services_connector.{environment}.data_space_id is {configured}, but the events in this store were made for \
         {stored}; every event would get a second _id and arrive twice. Set it back, point store.path to a new file, \
         or start once with --accept-new-data-space if that is meant"
    )]
    OtherDataSpace {
        environment: &'static str,
        configured: String,
        stored: String,
    },
    #[error(
        "source.kind is \"{configured}\", but this store was filled by \"{stored}\"; set it back, or start once with `orderfeed run \
         --accept-new-source` if it is the same shop: every order is compared again, and nothing is sent twice"
    )]
    OtherSource {
        configured: &'static str,
        stored: String,
    },
}

/// Takes the lock, opens the store, binds it to the data space, and releases the work of a process that died.
pub async fn open(
    config: &Config,
    clock: &Clock,
    purpose: &str,
    data_space: DataSpace,
) -> Result<Opened, StartError> {
    // The lock first: opening may migrate the store.
    let lock = StoreLock::acquire(&config.store.path, purpose)?;
    let store = Store::open(&config.store.path)?;
    take_over(&store, config, clock, data_space).await?;
    Ok(Opened { lock, store })
}

/// Binds an open store to the data space, and releases the work of a process that died. The caller holds the lock.
pub async fn take_over(
    store: &Store,
    config: &Config,
    clock: &Clock,
    data_space: DataSpace,
) -> Result<(), StartError> {
    bind_data_space(store, config, data_space).await?;
    // The lock is held here, so leases and runs that are still open belong to a dead process.
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
            "An earlier process ended in the middle of its work, which continues now"
        );
    }
    Ok(())
}

async fn bind_data_space(store: &Store, config: &Config, data_space: DataSpace) -> Result<(), StartError> {
    let configured = config.data_space_id().to_string();
    let stored = store.read(|reader| reader.meta(DATA_SPACE)).await?;
    match stored {
        Some(stored) if stored != configured && data_space == DataSpace::MustMatch => {
            Err(StartError::OtherDataSpace {
                environment: config.services_connector.environment.as_str(),
                configured,
                stored,
            })
        }
        Some(stored) if stored == configured => Ok(()),
        // A new store, or a data space that the operator accepted.
        _ => Ok(store
            .write(Durability::Durable, move |writer| {
                writer.set_meta(DATA_SPACE, &configured)
            })
            .await?),
    }
}
