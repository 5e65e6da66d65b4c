//! The description of the shop, read at a start and after an outage: the store tree, a row of each list, the identity of the
//! shop, its clock.

use serde_json::Value;

use crate::commerce::fingerprint;
use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::list::List;
use crate::commerce::rest::map::row::text;
use crate::commerce::rest::read::ids::ABOVE;
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::{Direction, Search};
use crate::commerce::rest::{RestSource, fields, locked};
use crate::commerce::source::{OrderFilter, SourceError, SourceInfo};

/// The product's name in the log. Its version is not part of the API; `doctor` requests it from the shop's pages.
pub(super) const PRODUCT: &str = "Adobe Commerce REST API";

impl RestSource {
    pub(super) async fn describe_now(&self) -> Result<SourceInfo, SourceError> {
        self.lookups.read_tree(&self.client, Lane::Live).await?;
        let mut notes = Vec::new();
        for list in List::DOCUMENTS {
            match self.probe(list).await {
                Ok(()) => {}
                Err(Failure::NoRoute { .. }) if list == List::Returns => {
                    notes.push("The shop has no returns: returns are not sent.".to_owned());
                }
                // It is not the list itself that fails.
                Err(failure) if failure.of_a_part().is_some() => {}
                Err(failure) => return Err(source_error(failure)),
            }
        }
        Ok(SourceInfo {
            product: PRODUCT.to_owned(),
            fingerprint: self.fingerprint().await?,
            database_time: self.client.now(),
            notes,
        })
    }

    /// Returns the lists that capture reads.
    pub(super) async fn watched(&self) -> Result<Vec<List>, SourceError> {
        let known = *locked(&self.has_returns);
        if known.is_none() {
            match self.probe(List::Returns).await {
                Ok(())
                | Err(Failure::NoRoute { .. } | Failure::Poisoned { .. } | Failure::TooSlow { .. }) => {}
                Err(failure) => return Err(source_error(failure)),
            }
        }
        let has_returns = *locked(&self.has_returns) != Some(false);
        let lists = List::ALL.into_iter();
        Ok(lists
            .filter(|list| *list != List::Returns || has_returns)
            .collect())
    }

    /// Requests one row of a list: a missing permission is named, and a list that the edition lacks is known then.
    pub(super) async fn probe(&self, list: List) -> Result<(), Failure> {
        let search = Search::new(1, fields::marks(list)).sort(list.key(), Direction::Ascending);
        let probed = self.client.page(Lane::Live, list, &search).await.map(drop);
        if list == List::Returns {
            match &probed {
                Ok(()) => *locked(&self.has_returns) = Some(true),
                Err(Failure::NoRoute { .. }) => *locked(&self.has_returns) = Some(false),
                Err(_) => {}
            }
        }
        probed
    }

    /// Returns the identity of the shop: the same as from its database, so that a change of the kind of source is recognized
    /// as one of the same shop.
    pub(super) async fn fingerprint(&self) -> Result<String, SourceError> {
        const COLUMNS: [&str; 4] = ["entity_id", "increment_id", "created_at", "store_id"];
        let fields = format!("items[{}],total_count,search_criteria", COLUMNS.join(","));
        let anchor = |row: &Value| {
            COLUMNS
                .map(|column| text(row, column).unwrap_or_default())
                .join("|")
        };
        let (mut size, mut after) = (fingerprint::ANCHORS, -1);
        loop {
            let (from, span) = (Direction::Ascending, after + 1..ABOVE);
            let search = Search::new(size, fields.clone())
                .filter("entity_id", "gt", after.to_string())
                .sort("entity_id", from);
            let search = self.without_poisoned(search, span.clone(), from);
            match self.client.page(Lane::Live, List::Orders, &search).await {
                Ok(page) => {
                    let oldest: Vec<String> = page.rows.iter().map(anchor).collect();
                    return Ok(fingerprint::fingerprint(&oldest));
                }
                // Fewer orders identify the shop as well.
                Err(failure) if failure.of_a_part().is_some() && size > 1 => size /= 2,
                // The oldest one is bad: those after it identify the shop.
                Err(failure) if failure.of_a_part().is_some() => {
                    let all = OrderFilter::default();
                    after = self.find_poisoned(&all, span, from, failure).await?;
                    size = fingerprint::ANCHORS;
                }
                Err(failure) => return Err(source_error(failure)),
            }
        }
    }
}
