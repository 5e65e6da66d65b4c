//! One statement that reads the next rows of several tables.

use std::time::Duration;

use crate::commerce::changes::watched::{RangeEnd, RowSelection, WatchedTable};
use crate::commerce::changes::window::{Pass, RowRange, SeenRow};
use crate::commerce::mysql::session::MysqlSession;
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::schema::Schema;
use crate::commerce::source::SourceError;

/// A range of rows of one table.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableRead {
    pub(super) watched: WatchedTable,
    pub(super) range: RowRange,
}

/// The rows of a [`TableRead`].
#[derive(Clone, Debug, Default)]
pub(super) struct TableRows {
    pub(super) rows: Vec<SeenRow>,
    /// Number of rows that the database returned, readable or not.
    pub(super) returned: usize,
}

/// The database's time, and the rows of each read.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetched {
    /// Microseconds since the epoch.
    pub(super) now: i64,
    pub(super) tables: Vec<TableRows>,
}

impl TableRead {
    fn selection(&self) -> RowSelection {
        let until = match self.range.pass {
            Pass::Window => RangeEnd::Open,
            Pass::Front => RangeEnd::Now,
            Pass::Tail(horizon) => RangeEnd::At(horizon),
        };
        RowSelection {
            after: self.range.after,
            until,
            limit: self.range.limit,
        }
    }
}

/// Reads all ranges at one time of the database, in one statement: a poll of an idle shop costs a single round trip.
pub(super) async fn fetch(
    session: &mut MysqlSession<'_>,
    prefix: &str,
    schema: &Schema,
    reads: &[TableRead],
    limit: Duration,
) -> Result<Fetched, SourceError> {
    // The time is a row as well, so that the rows that are not in the future are those up to this time.
    let mut sql = format!("SELECT NULL, NULL, UTC_TIMESTAMP(6), NULL, NULL, {}", reads.len());
    for (slot, read) in reads.iter().enumerate() {
        let rows = read.watched.select(prefix, schema, read.selection(), slot);
        sql.push_str(&format!(" UNION ALL ({rows})"));
    }
    let (mut now, mut tables) = (None, vec![TableRows::default(); reads.len()]);
    session
        .rows_within(limit, &sql, |row| {
            let slot = cells::integer(row.cell(5)).and_then(|slot| usize::try_from(slot).ok());
            let Some((read, found)) = slot.and_then(|slot| reads.get(slot).zip(tables.get_mut(slot))) else {
                now = cells::micros(row.cell(2));
                return;
            };
            found.returned += 1;
            found.rows.extend(read.watched.seen_row(&row));
        })
        .await?;
    for found in &mut tables {
        // A union keeps the order of its parts in both servers, but promises none.
        found.rows.sort_by_key(|row| row.mark);
    }
    let now = now.ok_or_else(|| session.unavailable("its time cannot be read"))?;
    Ok(Fetched { now, tables })
}
