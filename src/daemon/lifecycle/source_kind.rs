//! The kind of source that a store was filled from.
//!
//! The same order read another way has another hash and other positions, so a change of `source.kind` is refused until an
//! operator accepts it. Then the positions are dropped and every order is compared again. Events keep their identities, which
//! depend on the documents alone, so that nothing is sent twice. That it is the same shop is checked when the source
//! answers: by its oldest orders.

use crate::config::{Config, SourceKind};
use crate::daemon::lifecycle::start::StartError;
use crate::store::meta::{SOURCE_FINGERPRINT, SOURCE_KIND};
use crate::store::views::IndexerStatus;
use crate::store::{Durability, Reader, Store, Writer};
use orderfeed_model::clock::Clock;

/// The reaction to another kind of source than the store's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceChange {
    #[default]
    Refuse,
    /// Bind the store to the new one (`--accept-new-source`).
    Accept,
}

/// Binds an open store to the configured kind of source. The caller holds the lock.
///
/// # Errors
/// `OtherSource` if the store was filled from another kind, and the change is refused.
pub async fn bind(
    store: &Store,
    config: &Config,
    clock: &Clock,
    change: SourceChange,
) -> Result<(), StartError> {
    let configured = config.source.kind;
    let read = |reader: &Reader<'_>| Ok((reader.meta(SOURCE_KIND)?, reader.meta(SOURCE_FINGERPRINT)?));
    let (stored, fingerprint): (Option<String>, Option<String>) = store.read(read).await?;
    let stored = stored.or_else(|| filled_before(configured, fingerprint.as_deref()));
    match stored {
        // Stored also by this version, for one of an earlier version.
        Some(stored) if stored == configured.as_str() => return store_kind(store, configured).await,
        Some(stored) if change == SourceChange::Refuse => {
            return Err(StartError::OtherSource {
                configured: configured.as_str(),
                stored,
            });
        }
        Some(stored) => {
            tracing::warn!(
                log_code = "OF02-12",
                from = stored,
                to = configured.as_str(),
                "The kind of source changes; capture starts at its current position, and a full reindex compares every order",
            );
        }
        None => {}
    }
    if fingerprint.is_none() {
        return store_kind(store, configured).await;
    }
    let at = clock.now();
    let write = move |writer: &mut Writer<'_>| {
        writer.set_meta(SOURCE_KIND, configured.as_str())?;
        writer.forget_source_cursors()?;
        match writer.reader().indexer_state()?.map(|state| state.status) {
            // An operator resumes it, with a full reindex.
            None | Some(IndexerStatus::Suspended) => Ok(()),
            Some(_) => writer.set_indexer_status(IndexerStatus::Invalid, at),
        }
    };
    Ok(store.write(Durability::Durable, write).await?)
}

async fn store_kind(store: &Store, kind: SourceKind) -> Result<(), StartError> {
    let write = move |writer: &mut Writer<'_>| writer.set_meta(SOURCE_KIND, kind.as_str());
    Ok(store.write(Durability::Durable, write).await?)
}

/// Returns the kind of a store of an earlier version, which stored none: a database, if it was filled at all.
fn filled_before(configured: SourceKind, fingerprint: Option<&str>) -> Option<String> {
    fingerprint.map(|_| match configured {
        SourceKind::Rest => SourceKind::Mysql.as_str().to_owned(),
        SourceKind::Mysql | SourceKind::Sqlite => configured.as_str().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::source::Cursors;
    use crate::store::testing;
    use crate::store::views::ViewMode;
    use orderfeed_model::clock::UtcMillis;

    fn of(kind: SourceKind) -> Config {
        let mut config = Config::default();
        config.source.kind = kind;
        config
    }

    async fn fill(store: &Store) {
        let write = |writer: &mut Writer<'_>| {
            writer.init_view(ViewMode::Schedule, UtcMillis(0))?;
            writer.set_meta(SOURCE_FINGERPRINT, "orders1:aa")?;
            writer.set_indexer_status(IndexerStatus::Valid, UtcMillis(1))?;
            writer.set_source_cursors(&Cursors([("sales_order".to_owned(), "5;5".to_owned())].into()))
        };
        store.write(Durability::Durable, write).await.unwrap();
    }

    async fn state(store: &Store) -> (Option<Cursors>, Option<IndexerStatus>) {
        let read = |reader: &Reader<'_>| {
            Ok((
                reader.source_cursors()?,
                reader.indexer_state()?.map(|it| it.status),
            ))
        };
        store.read(read).await.unwrap()
    }

    #[tokio::test]
    async fn a_change_is_refused_and_then_compares_every_order() {
        let (_dir, store) = testing::fresh();
        let clock = Clock::manual(UtcMillis(9));
        bind(&store, &of(SourceKind::Mysql), &clock, SourceChange::Refuse)
            .await
            .unwrap();
        fill(&store).await;
        let rest = of(SourceKind::Rest);
        let refused = bind(&store, &rest, &clock, SourceChange::Refuse)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("--accept-new-source"), "{refused}");
        assert!(state(&store).await.0.is_some());
        bind(&store, &rest, &clock, SourceChange::Accept).await.unwrap();
        assert_eq!(state(&store).await, (None, Some(IndexerStatus::Invalid)));
        bind(&store, &rest, &clock, SourceChange::Refuse).await.unwrap();
    }

    #[tokio::test]
    async fn a_store_of_an_earlier_version_was_filled_from_a_database() {
        let (_dir, store) = testing::fresh();
        let clock = Clock::manual(UtcMillis(9));
        fill(&store).await;
        assert!(
            bind(&store, &of(SourceKind::Rest), &clock, SourceChange::Refuse)
                .await
                .is_err()
        );
        bind(&store, &of(SourceKind::Sqlite), &clock, SourceChange::Refuse)
            .await
            .unwrap();
        let (cursors, status) = state(&store).await;
        assert_eq!((cursors.is_some(), status), (true, Some(IndexerStatus::Valid)));
    }
}
