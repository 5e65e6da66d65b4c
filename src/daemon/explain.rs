//! Reads an order from the source for `explain` and its web page.

use std::time::Duration;

use crate::commerce::source::{ReadOrder, SourceError};
use crate::config::Config;
use crate::daemon::sources;
use crate::indexer::exported;
use crate::ops::explain::{ExplainRequest, FoundOrder, SourceAnswer, SourceOrder};
use crate::ops::pause;
use orderfeed_events::facts;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::marks::births;
use orderfeed_model::order::{Order, OrderId};

/// Time limit for the source. After it, only what the store holds is shown.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks the source for the orders with this number. `known` are the ids that the store has under it. The caller holds no
/// snapshot of the store meanwhile.
pub async fn ask(config: &Config, number: String, known: Vec<OrderId>, now: UtcMillis) -> ExplainRequest {
    let answer = match tokio::time::timeout(SOURCE_TIMEOUT, read_source(config, &number, known)).await {
        Ok(Ok(found)) => SourceAnswer::Answered(found),
        Ok(Err(error)) => SourceAnswer::Unreachable(error.to_string()),
        Err(_) => SourceAnswer::Unreachable(format!("no answer within {} s", SOURCE_TIMEOUT.as_secs())),
    };
    let websites = config.websites.keys();
    ExplainRequest {
        now,
        data_space: config.data_space_id(),
        sending: sending(config),
        owners: websites
            .map(|code| (code.clone(), pause::owners(config, code)))
            .collect(),
        number,
        answer,
    }
}

/// Reads the orders with this number, and those that the store has under it: the number may have changed in the source.
async fn read_source(
    config: &Config,
    number: &str,
    known: Vec<OrderId>,
) -> Result<Vec<FoundOrder>, SourceError> {
    let (source, _) = sources::source(config)?;
    let mut ids = source.find_by_number(number).await?;
    ids.extend(known);
    // Most orders are in both lists.
    ids.sort_unstable();
    ids.dedup();
    let orders = source.read_orders(&ids).await?;
    Ok(orders
        .into_iter()
        .map(|order| found_order(order, config))
        .collect())
}

fn found_order(order: ReadOrder, config: &Config) -> FoundOrder {
    match order {
        ReadOrder::Unreadable { id, reason } => FoundOrder::Unreadable { id, reason },
        ReadOrder::Whole(order) | ReadOrder::Partial { order, .. } => {
            FoundOrder::Whole(source_order(&order, config))
        }
    }
}

fn source_order(order: &Order, config: &Config) -> SourceOrder {
    let scope = order.scope.as_ref();
    SourceOrder {
        id: order.id,
        state: order.state.clone(),
        status: order.status.clone(),
        created_at: order.created_at,
        updated_at: order.updated_at,
        website: scope.map(|scope| scope.website.clone()),
        scope: scope.map(|scope| [scope.website.as_str(), &scope.store, &scope.store_view].join(" / ")),
        exported: exported(order, config),
        facts: facts(order),
        births: births(order),
    }
}

/// Returns the websites with a datastream, including those switched off: their pending events are still sent.
fn sending(config: &Config) -> Vec<String> {
    let websites = config.websites.iter();
    websites
        .filter(|(_, website)| website.datastream.is_some())
        .map(|(code, _)| code.clone())
        .collect()
}
