//! The rates of the last day and the last accepted requests, read at most every few seconds and never without a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::store::traffic::Accepted;
use crate::store::{Reader, Store, StoreError};
use crate::web::traffic::Traffic;
use orderfeed_model::clock::UtcMillis;

const MAX_AGE_MS: i64 = 3_000;

/// The cache.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<Option<(UtcMillis, Arc<RatesNow>)>>);

#[derive(Debug)]
pub(crate) struct RatesNow {
    pub(crate) traffic: Traffic,
    /// By website code.
    pub(crate) accepted: BTreeMap<String, Accepted>,
}

impl Rates {
    pub(crate) async fn latest(&self, store: &Store, now: UtcMillis) -> Result<Arc<RatesNow>, StoreError> {
        // Held during the read, so that simultaneous requests wait for one read.
        let mut cached = self.0.lock().await;
        // A clock that was set back must not keep an old value.
        let is_fresh = |at: UtcMillis| (0..MAX_AGE_MS).contains(&now.millis_since(at));
        if let Some((_, rates)) = cached.as_ref().filter(|(at, _)| is_fresh(*at)) {
            return Ok(Arc::clone(rates));
        }
        let rates = Arc::new(store.read(move |reader| read(reader, now)).await?);
        *cached = Some((now, Arc::clone(&rates)));
        Ok(rates)
    }
}

fn read(reader: &Reader<'_>, now: UtcMillis) -> Result<RatesNow, StoreError> {
    let codes = reader.websites()?;
    let mut accepted = BTreeMap::new();
    for (id, code) in &codes {
        if let Some(last) = reader.last_accepted(*id)? {
            accepted.insert(code.clone(), last);
        }
    }
    let (minutes, days) = (reader.traffic_minutes()?, reader.traffic_days()?);
    Ok(RatesNow {
        traffic: Traffic::of(&minutes, &days, &codes, now),
        accepted,
    })
}
