//! `delivery pause` and `delivery resume`.

pub mod failed;
pub mod test_connection;

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::daemon::control::{Outcome, Request};

/// `orderfeed delivery …`
#[derive(Clone, Debug, Subcommand)]
pub enum DeliveryCommand {
    /// Stop sending; what is in flight is finished, what comes in waits
    #[command(
        after_help = "Examples:\n  orderfeed delivery pause                   all websites\n  orderfeed delivery pause --website base"
    )]
    Pause(Target),
    /// Send again
    #[command(after_help = "Example:\n  orderfeed delivery resume --website base")]
    Resume(Target),
}

/// Whose delivery.
#[derive(Clone, Debug, Default, Args)]
pub struct Target {
    /// A website's code; all websites if it is not given
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
}

/// Runs a `delivery` command.
///
/// # Errors
/// As [`execute`].
pub async fn run(context: &Context, command: DeliveryCommand) -> anyhow::Result<Exit> {
    let (request, purpose, words) = match command {
        DeliveryCommand::Pause(target) => (
            Request::PauseDelivery {
                website: target.website,
            },
            "orderfeed delivery pause",
            ["paused", "was paused already"],
        ),
        DeliveryCommand::Resume(target) => (
            Request::ResumeDelivery {
                website: target.website,
            },
            "orderfeed delivery resume",
            ["resumed", "was not paused"],
        ),
    };
    let outcome = execute(context, request, purpose).await?;
    let text = render(&outcome, words).ok_or_else(|| another_answer(&outcome))?;
    output::data(&text)?;
    Ok(Exit::Ok)
}

fn render(outcome: &Outcome, [done, already]: [&str; 2]) -> Option<String> {
    let Outcome::Delivery { changed, unchanged } = outcome else {
        return None;
    };
    if changed.is_empty() && unchanged.is_empty() {
        return Some("There is no website yet; the first event of one makes it known\n".to_owned());
    }
    let changed = changed
        .iter()
        .map(|code| format!("Delivery of website {code} {done}\n"));
    let unchanged = unchanged
        .iter()
        .map(|code| format!("Delivery of website {code} {already}\n"));
    Some(changed.chain(unchanged).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_website_is_told() {
        let outcome = Outcome::Delivery {
            changed: vec!["base".into()],
            unchanged: vec!["shop_de".into()],
        };
        assert_eq!(
            render(&outcome, ["paused", "was paused already"]).unwrap(),
            "Delivery of website base paused\nDelivery of website shop_de was paused already\n"
        );
    }
}
