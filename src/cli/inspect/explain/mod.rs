//! `explain`: reads an order from the source, takes the snapshot of [`crate::ops::explain`], and prints it.

mod render;

#[cfg(test)]
mod tests;

use clap::Args;

use crate::cli::context::{Context, view};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::daemon::explain;
use crate::ops::explain::Explanation;

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
    let request = explain::ask(&config, number, known, context.clock.now()).await;
    // A second view, so that no snapshot of the store is held while the source is read.
    let explanation =
        view(&config)?.read(|reader| Explanation::read(reader, &config.store.path, &request))?;
    output::result_for(context.addressee().as_ref(), args.json, &explanation, || {
        render::render(&explanation)
    })?;
    Ok(match explanation.orders.is_empty() {
        true => Exit::Failed,
        false => Exit::Ok,
    })
}
