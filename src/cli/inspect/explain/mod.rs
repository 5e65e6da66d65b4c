//! `orderfeed explain ORDER_NUMBER`: the whole life of an order. The snapshot is [`crate::ops::explain`]; here the source
//! is asked, and `render` makes the text.

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
use orderfeed_events::facts;
use orderfeed_model::order::{Order, OrderId};

/// The store's part of the answer does not wait longer for the source's.
const PATIENCE: Duration = Duration::from_secs(10);

/// Options of `explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The order's number, as shopper and merchant see it
    #[arg(value_name = "ORDER_NUMBER")]
    pub number: String,
    /// A JSON object for scripts; its `version` counts the shape
    #[arg(long)]
    pub json: bool,
}

/// Runs `explain`. An order that nobody knows is the answer "no".
///
/// # Errors
/// If there is no store, or it cannot be read. A source that does not answer is no error.
pub async fn run(context: &Context, args: ExplainArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let number = args.number.trim().to_owned();
    let known = view(&config)?.read(|reader| reader.orders_by_number(&number))?;
    let answer = match tokio::time::timeout(PATIENCE, look(&config, &number, known)).await {
        Ok(Ok(seen)) => SourceAnswer::Answered(seen),
        Ok(Err(error)) => SourceAnswer::Unreachable(error.to_string()),
        Err(_) => SourceAnswer::Unreachable(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    let question = ExplainRequest {
        now: context.clock.now(),
        data_space: config.data_space_id(),
        sending: sending(&config),
        number,
        answer,
    };
    let explanation =
        view(&config)?.read(|reader| Explanation::read(reader, &config.store.path, &question))?;
    match args.json {
        true => output::json(&explanation)?,
        false => output::data(&render::render(&explanation))?,
    }
    Ok(match explanation.orders.is_empty() {
        true => Exit::Failed,
        false => Exit::Ok,
    })
}

/// The orders with this number, and those that were known to have it.
async fn look(config: &Config, number: &str, known: Vec<OrderId>) -> Result<Vec<FoundOrder>, SourceError> {
    let (source, _) = sources::source(config)?;
    let mut ids = source.find_by_number(number).await?;
    ids.extend(known);
    ids.sort_unstable();
    ids.dedup();
    let orders = source.read_orders(&ids).await?;
    Ok(orders.into_iter().map(|order| seen(order, config)).collect())
}

fn seen(order: ReadOrder, config: &Config) -> FoundOrder {
    match order {
        ReadOrder::Unreadable { id, reason } => FoundOrder::Unreadable { id, reason },
        ReadOrder::Whole(order) => FoundOrder::Whole(seen_order(&order, config)),
    }
}

fn seen_order(order: &Order, config: &Config) -> SourceOrder {
    SourceOrder {
        id: order.id,
        state: order.state.clone(),
        status: order.status.clone(),
        created_at: order.created_at,
        updated_at: order.updated_at,
        website: order.scope.as_ref().map(|scope| scope.website.clone()),
        scope: order
            .scope
            .as_ref()
            .map(|scope| [scope.website.as_str(), &scope.store, &scope.store_view].join(" / ")),
        exported: exported(order, config),
        facts: facts(order),
    }
}

/// Websites whose events have somewhere to go, switched off or not: what is in the outbox still goes.
fn sending(config: &Config) -> Vec<String> {
    let websites = config.websites.iter();
    websites
        .filter(|(_, website)| website.datastream.is_some())
        .map(|(code, _)| code.clone())
        .collect()
}
