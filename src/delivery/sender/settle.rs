//! What the edge decided goes into the store: whatever came in while the last commit was under way is one transaction.

use std::sync::Arc;
use std::time::Duration;

use crate::delivery::rules::Split;
use crate::store::outbox::{BatchId, EdgeAnswer, EventKey, EventVerdict, Settled};
use crate::store::{Durability, Fault, Store, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// Between tries where another process holds the database; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One decision to write down.
#[derive(Debug)]
pub(crate) enum Settlement {
    /// The edge has these.
    Delivered(Vec<Settled>, EdgeAnswer),
    /// The edge decided event by event.
    Each {
        id: BatchId,
        verdicts: Vec<(usize, EventVerdict)>,
        answer: EdgeAnswer,
    },
    /// Not now.
    Failed {
        ids: Vec<BatchId>,
        due_at: UtcMillis,
        answer: EdgeAnswer,
    },
    /// EdgeRefusal together with others; each half of them is asked for next, so they stay under way.
    Noted {
        ids: Vec<BatchId>,
        at: UtcMillis,
        answer: EdgeAnswer,
    },
    /// Not sent: events of persons on the suppression list leave these.
    Screen { ids: Vec<BatchId>, at: UtcMillis },
    /// EdgeRefusal as a whole; its halves are asked for one by one. Without an answer, because it would be refused.
    Halve {
        id: BatchId,
        by: Split,
        answer: Option<EdgeAnswer>,
        at: UtcMillis,
    },
}

/// What the commit brought.
#[derive(Debug)]
pub(crate) enum Effect {
    /// These are no longer under way.
    Free(Vec<BatchId>),
    /// Something has another due time.
    Due,
    /// So many events ended as suppressed without having been sent.
    Suppressed(u64),
    /// A batch became two.
    Halved(BatchId, BatchId),
    /// An event is a dead letter now; with its order's number, if the feed knows it.
    Parked {
        key: EventKey,
        code: String,
        number: Option<String>,
    },
}

/// Writes all of them down, or none. A database that another process holds for a while is waited for: what the edge said
/// is worth it.
pub(crate) async fn settle(store: Store, all: Vec<Settlement>) -> Result<Vec<Effect>, StoreError> {
    let all = Arc::new(all);
    let mut pause = FIRST_PAUSE;
    loop {
        match settle_once(&store, Arc::clone(&all)).await {
            Err(StoreError::Failed {
                fault: Fault::Busy, ..
            }) if pause < LONGEST_PAUSE => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            done => return done,
        }
    }
}

async fn settle_once(store: &Store, all: Arc<Vec<Settlement>>) -> Result<Vec<Effect>, StoreError> {
    store
        .write(Durability::Durable, move |writer| {
            let delivered: Vec<(&[Settled], &EdgeAnswer)> =
                all.iter().filter_map(Settlement::delivered).collect();
            writer.settle_requests(&delivered)?;
            let mut effects = Vec::with_capacity(all.len());
            for settlement in all.iter() {
                settlement.apply(writer, &mut effects)?;
            }
            Ok(effects)
        })
        .await
}

impl Settlement {
    fn delivered(&self) -> Option<(&[Settled], &EdgeAnswer)> {
        match self {
            Self::Delivered(batches, answer) => Some((batches, answer)),
            _ => None,
        }
    }

    fn apply(&self, writer: &mut Writer<'_>, effects: &mut Vec<Effect>) -> Result<(), StoreError> {
        match self {
            Self::Delivered(batches, _) => {
                effects.push(Effect::Free(batches.iter().map(|batch| batch.id).collect()));
            }
            Self::Each { id, verdicts, answer } => {
                name_parked(writer, *id, verdicts, effects)?;
                writer.settle_each(*id, verdicts, answer)?;
                effects.push(Effect::Free(vec![*id]));
            }
            Self::Failed { ids, due_at, answer } => {
                writer.record_failure(ids, *due_at, answer)?;
                effects.extend([Effect::Free(ids.clone()), Effect::Due]);
            }
            Self::Noted { ids, at, answer } => writer.record_failure(ids, *at, answer)?,
            Self::Screen { ids, at } => {
                let mut suppressed = 0;
                for id in ids {
                    suppressed += writer.screen_batch(*id, *at)?;
                }
                effects.extend([
                    Effect::Free(ids.clone()),
                    Effect::Due,
                    Effect::Suppressed(suppressed),
                ]);
            }
            Self::Halve { id, by, answer, at } => {
                if let Some(answer) = answer {
                    writer.record_failure(&[*id], *at, answer)?;
                }
                match left_half(writer, *id, *by)? {
                    Some(left) => effects.push(Effect::Halved(*id, writer.split_batch(*id, left)?)),
                    None => effects.extend([Effect::Free(vec![*id]), Effect::Due]),
                }
            }
        }
        Ok(())
    }
}

/// The events in the left half of a split: half of them, or those that make half of the bytes. `None` if there are not two
/// any more: some were suppressed since the batch was chosen.
fn left_half(writer: &Writer<'_>, id: BatchId, by: Split) -> Result<Option<usize>, StoreError> {
    let entries = writer.reader().batch_body(id)?.unwrap_or_default().entries;
    if entries.len() < 2 {
        return Ok(None);
    }
    if by == Split::Events {
        return Ok(Some(entries.len() / 2));
    }
    let total: usize = entries.iter().map(|entry| entry.len).sum();
    let mut bytes = 0;
    let left = entries.iter().take_while(|entry| {
        bytes += entry.len;
        bytes <= total / 2
    });
    Ok(Some(left.count().clamp(1, entries.len() - 1)))
}

fn name_parked(
    writer: &Writer<'_>,
    id: BatchId,
    verdicts: &[(usize, EventVerdict)],
    effects: &mut Vec<Effect>,
) -> Result<(), StoreError> {
    for (index, verdict) in verdicts {
        let EventVerdict::Parked(refusal) = verdict else {
            continue;
        };
        let body = writer.reader().batch_body(id)?;
        let Some(entry) = body.and_then(|body| body.entries.get(*index).copied()) else {
            continue;
        };
        let feed = writer.reader().feed_row(entry.key.order)?;
        effects.push(Effect::Parked {
            key: entry.key,
            code: refusal.code.clone(),
            number: feed.map(|(row, _)| row.number),
        });
    }
    Ok(())
}
