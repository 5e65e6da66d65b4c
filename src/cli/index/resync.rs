//! `saas:resync`, with Commerce's options and output.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::daemon::control::resync::ResyncOptions;
use crate::daemon::control::{Outcome, Request, Resynced};

const FEEDS: [&str; 1] = ["orders"];

#[derive(Clone, Debug, Args)]
pub struct ResyncArgs {
    /// Name of the feed; the only one is orders
    #[arg(long, value_name = "NAME")]
    pub feed: String,
    #[command(flatten)]
    pub options: ResyncOptions,
    /// Stop the resync that runs; the events that it queued are still sent
    #[arg(
        long,
        conflicts_with_all = ["no_reindex", "dry_run", "by_ids", "from", "to", "website", "continue_resync", "force",
                              "cleanup_feed", "batch_size", "thread_count", "wait"]
    )]
    pub stop: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("The feed \"{0}\" does not exist. Supported feeds: orders")]
struct UnknownFeed(String);

pub async fn run(context: &Context, args: ResyncArgs) -> anyhow::Result<Exit> {
    if !FEEDS.contains(&args.feed.as_str()) {
        return Err(UnknownFeed(args.feed).into());
    }
    if args.stop {
        return stop(context).await;
    }
    let options = args.options;
    // Before the daemon or the lock is needed, so that a contradiction is reported in any case.
    options.validate()?;
    let dry_run = options.dry_run;
    let outcome = execute(context, Request::Resync(options), "orderfeed saas:resync").await?;
    let Outcome::Resynced(resynced) = outcome else {
        return Err(another_answer(&outcome));
    };
    // Commerce's line is the only one on stdout; everything else goes to stderr.
    output::line(&render(&resynced, dry_run))?;
    // Only with `--wait`: events that cannot be sent because of their website.
    for one in &resynced.blocked {
        output::notice(&format!(
            "{} events of website {} cannot be sent: {}",
            one.events, one.website, one.reason
        ));
    }
    match resynced.blocked.is_empty() {
        true => Ok(Exit::Ok),
        false => Ok(Exit::Unavailable),
    }
}

async fn stop(context: &Context) -> anyhow::Result<Exit> {
    let outcome = execute(context, Request::StopResync, "orderfeed saas:resync --stop").await?;
    let Outcome::ResyncStopped {
        was_running,
        orders,
        events,
    } = outcome
    else {
        return Err(another_answer(&outcome));
    };
    output::line(&match was_running {
        true => format!(
            "The resync is stopped after {orders} orders; the {events} events that it queued are still sent"
        ),
        false => "No resync is running".to_owned(),
    })?;
    Ok(Exit::Ok)
}

fn render(resynced: &Resynced, dry_run: bool) -> String {
    let Resynced {
        orders,
        events,
        again,
        failures,
        duration_ms,
        ..
    } = resynced;
    let verb = if dry_run { "would be queued" } else { "were queued" };
    let again = match again {
        0 => String::new(),
        again => format!(", {again} of them again"),
    };
    let failures = match failures {
        0 => String::new(),
        failures => format!("; {failures} orders failed, see `orderfeed status`"),
    };
    let seconds = *duration_ms as f64 / 1000.0;
    format!("Processed {orders} orders in {seconds:.1} s: {events} events {verb}{again}{failures}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_counts_what_was_queued() {
        let mut resynced = Resynced {
            orders: 20_000,
            events: 12,
            duration_ms: 3_210,
            ..Resynced::default()
        };
        assert_eq!(
            render(&resynced, false),
            "Processed 20000 orders in 3.2 s: 12 events were queued"
        );
        (resynced.again, resynced.failures) = (5, 1);
        assert_eq!(
            render(&resynced, true),
            "Processed 20000 orders in 3.2 s: 12 events would be queued, 5 of them again; 1 orders failed, see \
             `orderfeed status`"
        );
    }
}
