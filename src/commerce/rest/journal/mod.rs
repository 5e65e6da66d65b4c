//! Hints from the journal of Adobe I/O Events: "order N changed". They shorten the time until a change is noticed, and show
//! tracks and comments that no list shows; the polls of the lists stay complete without them.
//!
//! The position is a cursor like any other. Events come in any order, and more than once, which costs a reading each. If the
//! journal no longer holds the position, it continues at its end, and the lists are read at once.
//!
//! | module | content |
//! |---|---|
//! | [`client`] | requests to the journal |
//! | [`events`] | from an event to its order |

pub(super) mod client;
mod events;

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::commerce::rest::capture::round::CaptureRound;
use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::journal::client::JournalPage;
use crate::commerce::rest::journal::events::{Hint, hint};
use crate::commerce::rest::{RestSource, locked};
use crate::commerce::source::{Change, ChangeOp, SourceError};
use orderfeed_model::order::OrderId;

/// The cursor with the position in the journal.
const CURSOR: &str = "journal";
/// Pages that are read at once.
const PAGES: usize = 10;
/// Numbers of orders that are searched at once. More are found by the lists.
const NUMBERS: usize = 20;

impl RestSource {
    /// Reads the journal, if there is one and it is due. A journal that fails delays nothing.
    pub(super) async fn read_journal(&self, round: &mut CaptureRound<'_>) -> Result<(), SourceError> {
        let Some(journal) = &self.journal else {
            return Ok(());
        };
        let now = Instant::now();
        if round.memory.journal_due.is_some_and(|due| due > now) {
            return Ok(());
        }
        let mut pause = self.settings.journal.interval.get();
        let mut hints = BTreeSet::new();
        for _ in 0..PAGES {
            let position = round.cursors.0.get(CURSOR).cloned();
            let page = journal.page(position.as_deref()).await;
            if page.is_ok() {
                *locked(&self.journal_failure) = None;
            }
            match page {
                Ok(JournalPage::Events { events, next }) => {
                    hints.extend(events.iter().filter_map(hint));
                    round.cursors.0.insert(CURSOR.to_owned(), next);
                }
                Ok(JournalPage::End { next, after }) => {
                    if let Some(next) = next {
                        round.cursors.0.insert(CURSOR.to_owned(), next);
                    }
                    pause = after.unwrap_or(pause);
                    break;
                }
                Ok(JournalPage::Gone) => {
                    tracing::warn!(
                        log_code = "OF03-14",
                        "The journal of I/O Events no longer holds the stored position; it continues at its end, and the lists \
                         are read at once",
                    );
                    // The store keeps a cursor that is not named, so the end is one as well.
                    round.cursors.0.insert(CURSOR.to_owned(), String::new());
                    round.read_everything_next();
                    break;
                }
                Err(failure) => {
                    // Reported as a warning about the source; the lists are read in any case.
                    *locked(&self.journal_failure) = Some(source_error(failure).to_string());
                    break;
                }
            }
        }
        round.memory.journal_due = Some(now + pause);
        self.report(hints, round).await
    }

    async fn report(&self, hints: BTreeSet<Hint>, round: &mut CaptureRound<'_>) -> Result<(), SourceError> {
        let mut orders: BTreeSet<OrderId> = BTreeSet::new();
        let mut searched = 0;
        for hint in hints {
            match hint {
                Hint::Order(id) => {
                    orders.insert(id);
                }
                Hint::Number(number) if searched < NUMBERS => {
                    searched += 1;
                    orders.extend(self.find(&number).await?);
                }
                Hint::Number(_) => round.read_everything_next(),
            }
        }
        round.changes.extend(orders.into_iter().map(|order| Change {
            order,
            table: "sales_order",
            op: ChangeOp::Recheck,
        }));
        Ok(())
    }
}
