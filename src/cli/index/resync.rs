//! `saas:resync`, with Commerce's options and output.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::daemon::control::resync::ResyncOptions;
use crate::daemon::control::{Outcome, Request, Resynced};
use orderfeed_model::clock::UtcMillis;

const FEEDS: [&str; 1] = ["orders"];

#[derive(Clone, Debug, Args)]
pub struct ResyncArgs {
    /// Name of the feed; the only one is orders
    #[arg(long, value_name = "NAME")]
    pub feed: String,
    /// Do not read the source: retry parked events and those that wait for a retry
    #[arg(long)]
    pub no_reindex: bool,
    /// Report what would be sent; store and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Only these orders: order numbers or entity ids, separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub by_ids: Vec<String>,
    /// Only orders created at or after this: 2026-11-01, "2026-11-01 08:00:00" (UTC) or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub from: Option<UtcMillis>,
    /// Only orders created before this
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub to: Option<UtcMillis>,
    /// Continue an interrupted resync
    #[arg(long)]
    pub continue_resync: bool,
    /// Resend delivered events, with the same ids and bytes
    #[arg(long)]
    pub force: bool,
    /// Clear the hashes of the feed first, so that no order counts as unchanged
    #[arg(long)]
    pub cleanup_feed: bool,
    /// Orders in one batch, instead of index.batch_size
    #[arg(long, value_name = "N")]
    pub batch_size: Option<u32>,
    /// Number of batches read in parallel
    #[arg(long, value_name = "N")]
    pub thread_count: Option<u32>,
    /// Return when everything is delivered rather than queued. Exit code 69 if events remain because their website is
    /// halted, paused or not configured; they are listed
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("The feed \"{0}\" does not exist. Supported feeds: orders")]
struct UnknownFeed(String);

pub async fn run(context: &Context, args: ResyncArgs) -> anyhow::Result<Exit> {
    if !FEEDS.contains(&args.feed.as_str()) {
        return Err(UnknownFeed(args.feed).into());
    }
    let options = options(args);
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

fn options(args: ResyncArgs) -> ResyncOptions {
    ResyncOptions {
        no_reindex: args.no_reindex,
        dry_run: args.dry_run,
        by_ids: args.by_ids,
        from: args.from,
        to: args.to,
        continue_resync: args.continue_resync,
        force: args.force,
        cleanup_feed: args.cleanup_feed,
        batch_size: args.batch_size,
        thread_count: args.thread_count,
        wait: args.wait,
    }
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

/// Parses a time as operators write it. A day stands for its start in UTC.
pub(crate) fn parse_time(text: &str) -> Result<UtcMillis, String> {
    UtcMillis::parse_rfc3339(text)
        .or_else(|| UtcMillis::parse_sql(text))
        .or_else(|| UtcMillis::parse_sql(&format!("{text} 00:00:00")))
        .ok_or_else(|| {
            "expected 2026-11-22, \"2026-11-22 07:00:00\" (UTC) or 2026-11-22T07:00:00+01:00".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_operators_write_them() {
        let at = UtcMillis::parse_rfc3339("2026-11-22T00:00:00Z");
        assert_eq!(parse_time("2026-11-22").ok(), at);
        assert_eq!(parse_time("2026-11-22 00:00:00").ok(), at);
        assert_eq!(parse_time("2026-11-22T01:00:00+01:00").ok(), at);
        assert!(parse_time("yesterday").unwrap_err().contains("2026-11-22"));
    }

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
