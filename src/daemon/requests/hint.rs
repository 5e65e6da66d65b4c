//! The request `hint`: puts orders into the changelog, as if capture had seen that they changed.

use crate::commerce::source::{Change, ChangeOp};
use crate::daemon::control::Hinted;
use crate::daemon::requests::resync::find;
use crate::daemon::schedule::jobs::Jobs;
use crate::store::Durability;

/// Appends a change of each order. The changelog is indexed as usual.
pub(crate) async fn hint(jobs: &Jobs, names: &[String]) -> anyhow::Result<Hinted> {
    let (orders, unknown) = find(jobs, names).await?;
    let hinted = Hinted {
        orders: orders.len() as u64,
        unknown,
    };
    let changes: Vec<Change> = orders
        .into_iter()
        .map(|order| Change {
            order,
            table: "sales_order",
            op: ChangeOp::Recheck,
        })
        .collect();
    let at = jobs.clock.now();
    jobs.store()
        .write(Durability::Durable, move |writer| {
            writer.append_changes(&changes, at)
        })
        .await?;
    Ok(hinted)
}
