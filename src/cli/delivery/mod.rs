//! Commands about delivery. `delivery pause` and `delivery resume` are in this file.

pub mod failed;
pub mod test_connection;

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::daemon::control::{Outcome, Request};

#[derive(Clone, Debug, Subcommand)]
pub enum DeliveryCommand {
    /// Stop sending: requests in flight finish, new events wait
    #[command(
        after_help = "Examples:\n  orderfeed delivery pause                   all websites\n  \
        orderfeed delivery pause --website base"
    )]
    Pause(DeliveryArgs),
    /// Resume sending
    #[command(after_help = "Example:\n  orderfeed delivery resume --website base")]
    Resume(DeliveryArgs),
}

#[derive(Clone, Debug, Default, Args)]
pub struct DeliveryArgs {
    /// Code of a website; all websites if not given
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
}

pub async fn run(context: &Context, command: DeliveryCommand) -> anyhow::Result<Exit> {
    let (request, purpose, words) = match command {
        DeliveryCommand::Pause(DeliveryArgs { website }) => (
            Request::PauseDelivery { website },
            "orderfeed delivery pause",
            ["paused", "was paused already"],
        ),
        DeliveryCommand::Resume(DeliveryArgs { website }) => (
            Request::ResumeDelivery { website },
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
        return Some("The store has no websites yet; each is added with its first event\n".to_owned());
    }
    let line = |code: &String, state: &str| format!("Delivery of website {code} {state}\n");
    let changed = changed.iter().map(|code| line(code, done));
    let unchanged = unchanged.iter().map(|code| line(code, already));
    Some(changed.chain(unchanged).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_website_has_a_line() {
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
