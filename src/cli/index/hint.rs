//! `hint`: has the daemon read orders that changed, without waiting for capture to notice them.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::daemon::control::{Hinted, Outcome, Request};

#[derive(Clone, Debug, Args)]
pub struct HintArgs {
    /// Order numbers or entity ids
    #[arg(value_name = "ORDER", required = true)]
    pub orders: Vec<String>,
}

/// Runs `hint`. Fails if one of the orders does not exist.
pub async fn run(context: &Context, args: HintArgs) -> anyhow::Result<Exit> {
    let request = Request::Hint { names: args.orders };
    let outcome = execute(context, request, "orderfeed hint").await?;
    let Outcome::Hinted(hinted) = outcome else {
        return Err(another_answer(&outcome));
    };
    output::data(&render(hinted))?;
    Ok(match hinted.unknown {
        0 => Exit::Ok,
        _ => Exit::Failed,
    })
}

fn render(hinted: Hinted) -> String {
    let mut text = format!("Orders to be read: {}\n", hinted.orders);
    if hinted.unknown > 0 {
        text.push_str(&format!("Not in the source: {}\n", hinted.unknown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_that_do_not_exist_are_counted() {
        let hinted = |orders, unknown| render(Hinted { orders, unknown });
        assert_eq!(hinted(2, 0), "Orders to be read: 2\n");
        assert_eq!(hinted(1, 1), "Orders to be read: 1\nNot in the source: 1\n");
    }
}
