//! Comparison of the tracks of recent shipments: a track that is added later changes neither its shipment nor its order, and
//! there is no list of tracks.

use serde_json::Value;
use tokio::time::Instant;

use crate::commerce::rest::capture::round::CaptureRound;
use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::list::List;
use crate::commerce::rest::map::row::{number, objects};
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::{Direction, Search};
use crate::commerce::source::{Change, ChangeOp, SourceError};
use orderfeed_model::order::OrderId;

/// The name of the cursor, and the source table of the changes.
const TABLE: &str = "sales_shipment_track";
const CURSOR: &str = "tracks";
/// Shipments in a page.
const PAGE: usize = 200;
const FIELDS: &str = "items[entity_id,order_id,tracks[entity_id]],total_count,search_criteria";

impl CaptureRound<'_> {
    /// Sets the cursor of tracks that are watched from now on.
    pub(super) async fn start_tracks(&mut self) -> Result<(), SourceError> {
        // The newest shipments have the newest tracks, nearly always; an older one costs one more reading of its order.
        let search = Search::new(PAGE / 4, FIELDS).sort("entity_id", Direction::Descending);
        let newest = match self
            .source
            .client
            .page(Lane::Live, List::Shipments, &search)
            .await
        {
            Ok(page) => tracks(&page.rows).map(|(id, _)| id).max().unwrap_or_default(),
            Err(Failure::TooSlow { .. } | Failure::Poisoned { .. }) => return Ok(()),
            Err(failure) => return Err(source_error(failure)),
        };
        self.cursors.0.insert(CURSOR.to_owned(), newest.to_string());
        Ok(())
    }

    /// Compares the tracks of the shipments of the last days, if that is due.
    pub(super) async fn compare_tracks(&mut self) -> Result<(), SourceError> {
        let now = Instant::now();
        if self.memory.tracks.due.is_some_and(|due| due > now) {
            return Ok(());
        }
        self.memory.tracks.due = Some(now + self.settings().tracks_interval.get());
        let Some(cursor) = self.cursors.0.get(CURSOR).and_then(|text| text.parse().ok()) else {
            return self.start_tracks().await;
        };
        let reach = self.settings().tracks_lookback.millis();
        let since = self.source.client.now().plus_millis(-reach).sql();
        let search = Search::new(PAGE, FIELDS).filter("created_at", "gteq", since);
        let rows = match self.source.client.all(Lane::Live, List::Shipments, &search).await {
            Ok(rows) => rows,
            Err(failure) => return self.failed_comparison(List::Shipments, failure),
        };
        let found: Vec<(i64, OrderId)> = tracks(&rows).collect();
        let (orders, next) = self.memory.tracks.compare(&found, cursor);
        self.changes.extend(orders.into_iter().map(|order| Change {
            order,
            table: TABLE,
            op: ChangeOp::Insert,
        }));
        self.cursors.0.insert(CURSOR.to_owned(), next.to_string());
        Ok(())
    }
}

/// Returns the tracks of shipments, each with its order.
fn tracks(shipments: &[Value]) -> impl Iterator<Item = (i64, OrderId)> + '_ {
    shipments.iter().flat_map(|shipment| {
        let order = number(shipment, "order_id");
        let tracks = objects(shipment.get("tracks")).into_iter();
        tracks.filter_map(move |track| Some((number(track, "entity_id")?, order?)))
    })
}
