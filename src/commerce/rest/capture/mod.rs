//! Capture of changed orders by polling the lists.
//!
//! | module | content |
//! |---|---|
//! | [`lists`] | the rows of a list after a mark |
//! | [`round`] | one call: the lists that are due, and the cursors to store |
//! | [`returns`], [`open_returns`] | open returns, which have no time of change |
//! | [`tracks`], [`seen_tracks`] | tracking numbers, which change neither their shipment nor its order |
//! | [`memory`] | the state between calls |
//!
//! Orders, invoices, shipments and credit memos are read by `updated_at`, transactions and returns by their ids, all with the
//! window of [`crate::commerce::changes::window`], which finds rows that become visible late. No list shows a new tracking
//! number or a change of a return: recent shipments and open returns are compared, less often. The cursors are one per
//! list, `tracks` and `seen`, in the form of the databases.

mod lists;
pub(crate) mod memory;
mod open_returns;
mod returns;
pub(in crate::commerce::rest) mod round;
mod seen_tracks;
mod tracks;

use crate::commerce::rest::RestSource;
use crate::commerce::rest::capture::round::CaptureRound;
use crate::commerce::rest::list::List;
use crate::commerce::source::{Captured, Cursors, SourceError};

impl RestSource {
    /// Returns the cursors of a source that was never read.
    pub(super) async fn start(&self) -> Result<Cursors, SourceError> {
        let mut memory = self.memory.lock().await;
        let mut round = CaptureRound::begin(self, &mut memory, Cursors::default(), 1);
        round.set_starting_cursors(&self.watched().await?).await?;
        round.start_tracks().await?;
        Ok(round.finish_start())
    }

    /// Returns the changes since `cursors`. What is not due yet costs no request.
    pub(super) async fn capture(&self, cursors: &Cursors, limit: usize) -> Result<Captured, SourceError> {
        let mut memory = self.memory.lock().await;
        let share = (limit / (List::ALL.len() + 2)).max(1);
        let mut round = CaptureRound::begin(self, &mut memory, cursors.clone(), share);
        if round.takes_lists() {
            round.scan(&self.watched().await?).await?;
            round.compare_returns().await?;
            round.compare_tracks().await?;
        }
        self.read_journal(&mut round).await?;
        Ok(round.finish())
    }
}
