//! (being built)
#![allow(missing_docs)]
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
#[derive(Debug, Default)]
pub struct DeliveryStats {}
impl DeliveryStats {
    pub fn live_latency_words(&self) -> String {
        String::new()
    }
}
pub struct Drained {}
pub struct DeliveryParts {
    pub store: crate::store::Store,
    pub clock: crate::clock::Clock,
    pub config: watch::Receiver<Arc<crate::config::Config>>,
    pub stop: CancellationToken,
    pub abort: CancellationToken,
    pub observer: Arc<DeliveryStats>,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct DeliveryError;
pub async fn run(parts: DeliveryParts) -> Result<Drained, DeliveryError> {
    parts.stop.cancelled().await;
    Ok(Drained {})
}
