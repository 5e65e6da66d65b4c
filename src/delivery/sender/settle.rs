//! Writes outcomes into the store: all outcomes that arrived during the last commit in one transaction.

use std::sync::Arc;
use std::time::Duration;

use crate::delivery::rules::{Accepted, Split};
use crate::delivery::sender::answer::EventCounts;
use crate::store::outbox::{BatchId, EdgeAnswer, EventKey, EventVerdict, PendingBatch, Settled};
use crate::store::{Durability, Fault, Store, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// Pause before the first repetition where another process locks the database; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Most warnings that are stored for one accepted batch.
const MAX_WARNINGS: usize = 20;

/// One outcome to write.
#[derive(Debug)]
pub(crate) enum Settlement {
    /// All events of these batches were accepted.
    Delivered(Vec<Settled>, EdgeAnswer),
    /// The edge decided event by event.
    PerEvent {
        id: BatchId,
        verdicts: Vec<(usize, EventVerdict)>,
        answer: EdgeAnswer,
    },
    /// The batches are sent again from `due_at`.
    Retry {
        ids: Vec<BatchId>,
        due_at: UtcMillis,
        answer: EdgeAnswer,
    },
    /// The batches were refused together. They stay in flight, because each half of the request is sent next.
    Attempted {
        ids: Vec<BatchId>,
        at: UtcMillis,
        answer: EdgeAnswer,
    },
    /// The batches were not sent: events of suppressed persons are to be removed from them.
    Screen { ids: Vec<BatchId>, at: UtcMillis },
    /// The batch is split in two. `answer` is `None` if it was not sent because the edge would refuse it.
    Split {
        id: BatchId,
        by: Split,
        answer: Option<EdgeAnswer>,
        at: UtcMillis,
    },
}

/// A consequence of a commit for the sender.
#[derive(Debug)]
pub(crate) enum Effect {
    /// These batches are no longer in flight.
    Released(Vec<BatchId>),
    /// Batches got another due time.
    DueChanged,
    /// Number of events that were suppressed before they were sent.
    Suppressed(u64),
    /// A batch was split: the rest of the batch, and the new one.
    Split(BatchId, BatchId),
    Parked {
        key: EventKey,
        code: String,
        /// Number of the order, if the feed has it.
        number: Option<String>,
    },
}

/// Returns the outcomes of an accepted request: one for all batches, or, with warnings, one for each.
pub(crate) fn settlements_of_accepted(
    batches: &[PendingBatch],
    kinds: Vec<EventCounts>,
    accepted: &Accepted,
    answer: EdgeAnswer,
) -> Vec<Settlement> {
    let settled = |(batch, kinds): (&PendingBatch, EventCounts)| Settled {
        id: batch.id,
        website: batch.website,
        kinds,
    };
    // The usual case, in which nothing is done event by event.
    if *accepted == Accepted::default() {
        let all = batches.iter().zip(kinds).map(settled).collect();
        return vec![Settlement::Delivered(all, answer)];
    }
    // The edge counts events by their position in the request, the store by their position in the batch.
    let mut start = 0;
    let split = batches.iter().zip(kinds).map(|(batch, kinds)| {
        let own = start..start + batch.events;
        let suppressed = accepted.suppressed.iter().filter(|event| own.contains(event));
        let verdicts: Vec<_> = suppressed
            .map(|event| (event - start, EventVerdict::Suppressed("consent".to_owned())))
            .collect();
        let warnings = accepted.warnings.iter().filter(|(event, _)| own.contains(event));
        let warnings = warnings.map(|(event, warning)| format!("event {}: {warning}", event - start));
        let anomaly = accepted.anomaly.map(str::to_owned);
        let notes: Vec<_> = warnings.chain(anomaly).take(MAX_WARNINGS).collect();
        let answer = EdgeAnswer {
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            ..answer.clone()
        };
        start = own.end;
        match verdicts.is_empty() {
            true => Settlement::Delivered(vec![settled((batch, kinds))], answer),
            false => Settlement::PerEvent {
                id: batch.id,
                verdicts,
                answer,
            },
        }
    });
    split.collect()
}

/// Writes all outcomes, or none. A database that another process locks is waited for, because sending the events again
/// costs more.
pub(crate) async fn settle(store: Store, all: Vec<Settlement>) -> Result<Vec<Effect>, StoreError> {
    let all = Arc::new(all);
    let mut pause = FIRST_PAUSE;
    loop {
        let all = Arc::clone(&all);
        let write = move |writer: &mut Writer<'_>| {
            let delivered: Vec<_> = all.iter().filter_map(Settlement::delivered).collect();
            writer.settle_requests(&delivered)?;
            let mut effects = Vec::with_capacity(all.len());
            for settlement in all.iter() {
                settlement.apply(writer, &mut effects)?;
            }
            Ok(effects)
        };
        match store.write(Durability::Durable, write).await {
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

impl Settlement {
    fn delivered(&self) -> Option<(&[Settled], &EdgeAnswer)> {
        match self {
            Self::Delivered(batches, answer) => Some((batches, answer)),
            _ => None,
        }
    }

    fn apply(&self, writer: &mut Writer<'_>, effects: &mut Vec<Effect>) -> Result<(), StoreError> {
        match self {
            // Written by `settle_requests`, for all requests at once.
            Self::Delivered(batches, _) => {
                effects.push(Effect::Released(batches.iter().map(|batch| batch.id).collect()));
            }
            Self::PerEvent { id, verdicts, answer } => {
                report_parked(writer, *id, verdicts, effects)?;
                writer.settle_each(*id, verdicts, answer)?;
                effects.push(Effect::Released(vec![*id]));
            }
            Self::Retry { ids, due_at, answer } => {
                writer.record_failure(ids, *due_at, answer)?;
                effects.extend([Effect::Released(ids.clone()), Effect::DueChanged]);
            }
            // Not released: both halves of the request are in the queue.
            Self::Attempted { ids, at, answer } => writer.record_failure(ids, *at, answer)?,
            Self::Screen { ids, at } => {
                let mut suppressed = 0;
                for id in ids {
                    suppressed += writer.screen_batch(*id, *at)?;
                }
                effects.extend([
                    Effect::Released(ids.clone()),
                    Effect::DueChanged,
                    Effect::Suppressed(suppressed),
                ]);
            }
            Self::Split { id, by, answer, at } => {
                if let Some(answer) = answer {
                    writer.record_failure(&[*id], *at, answer)?;
                }
                match left_half(writer, *id, *by)? {
                    Some(left) => effects.push(Effect::Split(*id, writer.split_batch(*id, left)?)),
                    None => effects.extend([Effect::Released(vec![*id]), Effect::DueChanged]),
                }
            }
        }
        Ok(())
    }
}

/// Returns the number of events in the left half of a split: half of the events, or those that hold half of the bytes.
/// Returns `None` if fewer than two are left, because others were suppressed since the batch was chosen.
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
    // Neither half may be empty, however large the first event is.
    Ok(Some(left.count().clamp(1, entries.len() - 1)))
}

fn report_parked(
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
