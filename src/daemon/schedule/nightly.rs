//! The nightly verification, the safety net under capture. It finds changes that capture missed, such as a transaction that
//! committed after `poll_overlap`, and events that were deleted by hand, and repairs them through the changelog.
//!
//! Each night compares the orders that were updated recently, and a share of all orders from the newest down, so that
//! `verify.nights` nights cover the whole history. The position of that sweep is stored after each slice: a stop, an
//! unreachable source or a used-up budget ends the night, and the next one continues there.

use tokio_util::sync::CancellationToken;

use crate::commerce::source::OrderFilter;
use crate::config::Config;
use crate::indexer::{IndexError, Indexer, VerifyReport, VerifyTask};
use crate::store::views::IndexerStatus;
use crate::store::{Durability, Writer};
use orderfeed_model::clock::{Clock, UtcMillis};
use orderfeed_model::order::OrderId;

/// Key in `meta` of the id below which the sweep continues; empty if it starts over.
const SWEEP_BELOW: &str = "verify_sweep_below";
/// Key in `meta` of the time at which a sweep last reached the oldest order, in milliseconds.
const SWEPT_AT: &str = "verify_swept_at";
/// Orders of a sweep between two updates of its position.
const SLICE: u64 = 10_000;
const NAMED: usize = 10;

pub(crate) struct NightlyVerification<'a> {
    pub(crate) indexer: &'a Indexer,
    pub(crate) clock: &'a Clock,
    pub(crate) config: &'a Config,
    pub(crate) stop: &'a CancellationToken,
}

impl NightlyVerification<'_> {
    /// Verifies and repairs. Returns a summary for the job history.
    pub(crate) async fn run(&self) -> Result<String, IndexError> {
        let store = self.indexer.store();
        let state = store.read(|reader| reader.indexer_state()).await?;
        if state.is_none_or(|state| state.status != IndexerStatus::Valid) {
            // An incomplete index differs everywhere, and the reindex repairs it.
            return Ok("waits for the next night: the index is not ready".to_owned());
        }
        let budget = self.config.verify.budget.millis();
        let deadline = self.clock.now().plus_millis(budget);
        let mut sum = self.recent(deadline).await?;
        self.log_differences(&sum);
        let (recent, found) = (sum.orders, sum.differing.total());
        self.sweep(deadline, &mut sum).await?;
        // Otherwise the sweep would repeat the warning about recent orders.
        if sum.differing.total() > found {
            self.log_differences(&sum);
        }
        let message = summary(&sum, recent);
        tracing::info!(
            orders = sum.orders,
            recent_orders = recent,
            differing = sum.differing.total(),
            repaired = sum.repaired,
            waiting = sum.waiting,
            elapsed_ms = sum.elapsed_ms,
            "The nightly verification compared the source with feed and outbox",
        );
        Ok(message)
    }

    async fn recent(&self, deadline: UtcMillis) -> Result<VerifyReport, IndexError> {
        let reach = self.config.verify.recent.millis();
        let filter = OrderFilter {
            updated_from: Some(self.clock.now().plus_millis(-reach)),
            ..OrderFilter::default()
        };
        self.part(filter, None, None, deadline).await
    }

    async fn sweep(&self, deadline: UtcMillis, sum: &mut VerifyReport) -> Result<(), IndexError> {
        let all = OrderFilter::default();
        let total = self.indexer.source().count_orders(&all).await?;
        // A share of the present number of orders, so that a growing shop is covered in time, too.
        let mut share = total.div_ceil(u64::from(self.config.verify.nights.max(1)));
        let mut below = self.position().await?;
        while share > 0 && self.clock.now() < deadline {
            let slice = share.min(SLICE);
            let report = self.part(all.clone(), below, Some(slice), deadline).await?;
            let (is_last, complete) = (report.reached_end, report.complete);
            below = match is_last {
                true => None,
                false => report.lowest.or(below),
            };
            share = share.saturating_sub(slice);
            // After each slice, so that a stop loses little.
            self.save(below, is_last).await?;
            sum.add(report, NAMED);
            if is_last || !complete {
                break;
            }
        }
        Ok(())
    }

    async fn part(
        &self,
        filter: OrderFilter,
        below: Option<OrderId>,
        most: Option<u64>,
        deadline: UtcMillis,
    ) -> Result<VerifyReport, IndexError> {
        let task = VerifyTask {
            filter,
            ids: None,
            below,
            max_orders: most,
            repair: true,
            list_limit: NAMED,
        };
        let stop = || self.stop.is_cancelled() || self.clock.now() >= deadline;
        tokio::select! {
            biased;
            // Cancels at once: a verification may pause for a minute before it compares again. It repairs only confirmed
            // differences, so a cut is harmless.
            () = self.stop.cancelled() => Err(IndexError::Stopped),
            report = self.indexer.verify(task, stop, |_| {}) => report,
        }
    }

    async fn position(&self) -> Result<Option<OrderId>, IndexError> {
        let store = self.indexer.store();
        let below = store.read(|reader| reader.meta(SWEEP_BELOW)).await?;
        Ok(below.and_then(|below| below.parse().ok()))
    }

    async fn save(&self, below: Option<OrderId>, is_last: bool) -> Result<(), IndexError> {
        let below = below.map_or_else(String::new, |below| below.to_string());
        let now = self.clock.now();
        let save = move |writer: &mut Writer<'_>| {
            // Both in one transaction: a finished sweep has no position.
            writer.set_meta(SWEEP_BELOW, &below)?;
            match is_last {
                true => writer.set_meta(SWEPT_AT, &now.0.to_string()),
                false => Ok(()),
            }
        };
        Ok(self.indexer.store().write(Durability::Relaxed, save).await?)
    }

    fn log_differences(&self, report: &VerifyReport) {
        let differing = report.differing;
        if differing.total() == 0 {
            return;
        }
        let named: Vec<String> = report
            .differences
            .iter()
            .map(|one| one.order.to_string())
            .collect();
        tracing::warn!(
            log_code = "OF05-05",
            missing_orders = differing.missing_orders,
            stale_orders = differing.stale,
            reused_ids = differing.reused_ids,
            orders_without_events = differing.missing_events,
            gone_orders = differing.deleted,
            unreadable_orders = differing.unreadable,
            repaired = report.repaired,
            orders = named.join(","),
            "Verification found orders that differ from the source; those that can be repaired are indexed again",
        );
    }
}

fn summary(sum: &VerifyReport, recent: u64) -> String {
    let swept = sum.orders.saturating_sub(recent);
    let found = match (sum.differing.total(), sum.left()) {
        (0, _) => "nothing differs".to_owned(),
        (found, 0) => format!("{found} differ and are indexed again"),
        (found, left) => format!("{found} differ, {left} of them cannot be understood"),
    };
    let budget = match sum.complete {
        true => "",
        false => "; verify.budget is used up, the next night continues",
    };
    format!("compared {recent} recent orders and {swept} of all: {found}{budget}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indexer::Finding;

    #[test]
    fn the_summary_counts_differences() {
        let mut sum = VerifyReport {
            orders: 30,
            complete: true,
            ..VerifyReport::default()
        };
        assert_eq!(
            summary(&sum, 10),
            "compared 10 recent orders and 20 of all: nothing differs"
        );
        sum.differing.count(Finding::Stale);
        sum.repaired = 1;
        assert!(summary(&sum, 10).ends_with("1 differ and are indexed again"));
        sum.differing.count(Finding::Unreadable);
        sum.complete = false;
        assert!(summary(&sum, 10).ends_with(
            "2 differ, 1 of them cannot be understood; verify.budget is used up, the next night continues"
        ));
    }
}
