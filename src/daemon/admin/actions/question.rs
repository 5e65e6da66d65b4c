//! The page before an action that is bulk or cannot be undone: the count, the first items, the command line.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::daemon::admin::actions::plan::{Plan, Question};
use crate::daemon::control::resync::ResyncOptions;
use crate::daemon::control::selection::{Key, Selection};
use crate::daemon::control::{Outcome, Reply, Request, Resynced};
use crate::daemon::requests::Requests;
use crate::ops::sentence::{count, sentence};
use crate::store::Store;
use crate::web::Confirmation;

/// Longest time for a dry run before a question. A longer one is left to the command.
const DRY_RUN: Duration = Duration::from_secs(10);
/// Parked events that the question lists.
const SAMPLE: usize = 5;

/// The reason for which there is nothing to ask, as a sentence.
pub(crate) type NothingToDo = String;

/// Returns the question of a plan, `None` if it has none.
pub(crate) async fn ask(
    plan: &Plan,
    requests: &Requests,
    store: &Store,
) -> Result<Option<Confirmation>, NothingToDo> {
    let mut asked = match (plan.question, &plan.request) {
        (Question::None, _) => return Ok(None),
        (Question::Invalidate, _) => of_index(store, "Invalidate the index", "Invalidate").await?,
        (Question::Reindex, _) => of_index(store, "Reindex every order", "Reindex").await?,
        (Question::RetryParked, Request::RetryParked(selection)) => {
            of_parked(
                requests,
                selection,
                "Retry parked events",
                "sent again, with the same bytes",
            )
            .await?
        }
        (Question::DiscardParked, Request::DiscardParked { selection, .. }) => {
            let asked = of_parked(requests, selection, "Discard parked events", "never sent").await?;
            Confirmation {
                is_final: true,
                ..asked
            }
        }
        (Question::Resend, Request::Resync(options)) => of_resend(requests, options).await?,
        (Question::Resync, Request::Resync(options)) => of_resync(requests, options).await?,
        (_, _) => return Ok(None),
    };
    asked.command.clone_from(&plan.command);
    asked.hidden = plan
        .fields
        .iter()
        .filter(|(name, _)| name != "confirm")
        .cloned()
        .collect();
    asked.hidden.push(("confirm".to_owned(), "yes".to_owned()));
    Ok(Some(asked))
}

async fn of_index(store: &Store, title: &str, button: &str) -> Result<Confirmation, NothingToDo> {
    let orders = store.read(|reader| reader.feed_orders()).await;
    let orders = orders.map_err(|error| error.to_string())?;
    Ok(Confirmation {
        title: title.to_owned(),
        sentence: format!(
            "Every order of the source is read again; the index holds {} now. Delivered events are not sent again.",
            count(orders, "order")
        ),
        button: button.to_owned(),
        ..Confirmation::default()
    })
}

async fn of_parked(
    requests: &Requests,
    selection: &Selection,
    title: &str,
    done: &str,
) -> Result<Confirmation, NothingToDo> {
    let found = requests.parked(selection, SAMPLE).await;
    let (events, first) = found.map_err(|error| sentence(&error))?;
    if events == 0 {
        return Err("No parked event matches this selection.".to_owned());
    }
    let mut preview: Vec<String> = first
        .iter()
        .map(|event| format!("{}: {} {}", Key(event.key), event.code, event.title()))
        .collect();
    let more = events.saturating_sub(preview.len() as u64);
    if more > 0 {
        preview.push(format!("… and {more} more"));
    }
    Ok(Confirmation {
        title: title.to_owned(),
        sentence: format!("{} will be {done}.", count(events, "event")),
        preview,
        button: title.to_owned(),
        ..Confirmation::default()
    })
}

async fn of_resend(requests: &Requests, options: &ResyncOptions) -> Result<Confirmation, NothingToDo> {
    let counted = match dry_run(requests, options).await? {
        DryRun::Complete(counted) => counted,
        DryRun::TooLong { .. } => {
            return Err("The source does not answer in time; try again later.".to_owned());
        }
    };
    let number = options.by_ids.join(", ");
    if counted.orders == 0 {
        return Err(format!("The source has no order {number}."));
    }
    Ok(Confirmation {
        title: format!("Resend order {number}"),
        sentence: format!(
            "{} of this order will be sent, {} of them again, with the same ids.",
            count(counted.events, "event"),
            counted.again
        ),
        button: "Resend".to_owned(),
        is_final: true,
        ..Confirmation::default()
    })
}

async fn of_resync(requests: &Requests, options: &ResyncOptions) -> Result<Confirmation, NothingToDo> {
    let effect = match dry_run(requests, options).await? {
        DryRun::Complete(Resynced { orders: 0, .. }) | DryRun::TooLong { orders: 0 } => {
            return Err("No order was created in this time.".to_owned());
        }
        DryRun::Complete(counted) => format!(
            "{} will be read, and {} that are new or changed will be sent.",
            count(counted.orders, "order"),
            count(counted.events, "event")
        ),
        DryRun::TooLong { orders } => format!(
            "About {} will be read. Their events are too many to count here; the command with --dry-run counts them.",
            count(orders, "order")
        ),
    };
    let range = match (options.from, options.to) {
        (Some(from), Some(to)) => format!("from {} until before {}", from.rfc3339(), to.rfc3339()),
        (Some(from), None) => format!("since {}", from.rfc3339()),
        (None, Some(to)) => format!("before {}", to.rfc3339()),
        (None, None) => "at any time".to_owned(),
    };
    let website = options.website.as_ref();
    let website = website.map_or_else(String::new, |code| format!(" of website {code}"));
    Ok(Confirmation {
        title: "Synchronize order history".to_owned(),
        sentence: format!("Orders{website} created {range}. {effect}"),
        button: "Start".to_owned(),
        ..Confirmation::default()
    })
}

enum DryRun {
    Complete(Resynced),
    /// The number of orders in the range, as the source estimates it.
    TooLong {
        orders: u64,
    },
}

/// Counts what a resync would send. Dropping the request ends it.
async fn dry_run(requests: &Requests, options: &ResyncOptions) -> Result<DryRun, NothingToDo> {
    let request = Request::Resync(ResyncOptions {
        dry_run: true,
        ..options.clone()
    });
    let (replies, mut progress) = mpsc::channel(64);
    let mut work = Box::pin(requests.handle(&request, replies));
    let deadline = Instant::now() + DRY_RUN;
    let mut orders = 0;
    loop {
        tokio::select! {
            result = &mut work => return match result {
                Ok(Outcome::Resynced(counted)) => Ok(DryRun::Complete(counted)),
                Ok(_) => Ok(DryRun::TooLong { orders }),
                Err(error) => Err(sentence(&error)),
            },
            Some(Reply::Progress(so_far)) = progress.recv() => orders = so_far.total,
            () = sleep_until(deadline) => return Ok(DryRun::TooLong { orders: orders.max(1) }),
        }
    }
}
