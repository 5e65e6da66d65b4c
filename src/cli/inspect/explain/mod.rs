//! `explain`: reads an order from the source, takes the snapshot of [`crate::ops::explain`], and prints it.

mod render;

#[cfg(test)]
mod tests;

use std::time::Duration;

use clap::Args;

use crate::cli::context::{Context, view};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::commerce::source::{ReadOrder, SourceError};
use crate::config::Config;
use crate::daemon::sources;
use crate::indexer::exported;
use crate::ops::explain::{ExplainRequest, Explanation, FoundOrder, SourceAnswer, SourceOrder};
use crate::ops::pause;
use orderfeed_events::facts;
use orderfeed_model::marks::births;
use orderfeed_model::order::{Order, OrderId};

/// Time limit for the source. After it, only what the store holds is shown.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// Number of the order, as shopper and merchant see it
    #[arg(value_name = "ORDER_NUMBER")]
    pub number: String,
    /// Print a JSON object for scripts; its `version` numbers the shape
    #[arg(long)]
    pub json: bool,
}

/// Runs `explain`. Returns `Failed` if neither store nor source has the order.
pub async fn run(context: &Context, args: ExplainArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let number = args.number.trim().to_owned();
    let known = view(&config)?.read(|reader| reader.orders_by_number(&number))?;
    let answer = match tokio::time::timeout(SOURCE_TIMEOUT, read_source(&config, &number, known)).await {
        Ok(Ok(found)) => SourceAnswer::Answered(found),
        Ok(Err(error)) => SourceAnswer::Unreachable(error.to_string()),
        Err(_) => SourceAnswer::Unreachable(format!("no answer within {} s", SOURCE_TIMEOUT.as_secs())),
    };
    let request = ExplainRequest {
        now: context.clock.now(),
        data_space: config.data_space_id(),
        sending: sending(&config),
        owners: config
            .websites
            .keys()
            .map(|code| (code.clone(), pause::owners(&config, code)))
            .collect(),
        number,
        answer,
    };
    // A second view, so that no snapshot of the store is held while the source is read.
    let explanation =
        view(&config)?.read(|reader| Explanation::read(reader, &config.store.path, &request))?;
    output::result(args.json, &explanation, || render::render(&explanation))?;
    Ok(match explanation.orders.is_empty() {
        true => Exit::Failed,
        false => Exit::Ok,
    })
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
