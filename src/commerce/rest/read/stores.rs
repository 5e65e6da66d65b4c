//! The store tree and the labels of return items, which change rarely.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::map::row::{objects, text};
use crate::commerce::rest::map::scopes::StoreTree;
use crate::commerce::rest::map::{LABELLED, ReturnLabels};
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::client::RestClient;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::Query;
use crate::commerce::source::SourceError;

/// Shortest time between two readings because of an unknown store view.
const AGAIN: Duration = Duration::from_secs(60);
/// Age at which the labels are read again.
const LABELS_OLD: Duration = Duration::from_secs(3_600);

/// The store tree and the labels of returns, each with the time of its reading.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    tree: Mutex<Option<(Instant, Arc<StoreTree>)>>,
    labels: Mutex<Option<(Instant, Arc<ReturnLabels>)>>,
}

impl Lookups {
    /// Reads the store tree.
    pub(crate) async fn read_tree(
        &self,
        client: &RestClient,
        lane: Lane,
    ) -> Result<Arc<StoreTree>, SourceError> {
        let fields = [
            ("store/storeViews", "id,code,website_id,store_group_id"),
            ("store/storeGroups", "id,code"),
            ("store/websites", "id,code"),
        ];
        let mut lists = Vec::new();
        for (path, fields) in fields {
            let answer = client.get(lane, path, &Query::of_fields(fields)).await;
            lists.push(answer.map_err(source_error)?);
        }
        let [views, groups, websites] = &lists[..] else {
            return Ok(Arc::default());
        };
        let tree = Arc::new(StoreTree::join(views, groups, websites));
        let mut held = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some((Instant::now(), Arc::clone(&tree)));
        Ok(tree)
    }

    /// Returns the store tree, read again if one of these orders is of an unknown store view.
    pub(crate) async fn tree_of(
        &self,
        client: &RestClient,
        lane: Lane,
        stores: impl IntoIterator<Item = i64>,
    ) -> Result<Arc<StoreTree>, SourceError> {
        let held = self.tree.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((read_at, tree)) = held else {
            return self.read_tree(client, lane).await;
        };
        // An order may be of a store view that no longer exists, so that it stays unknown.
        let is_unknown = stores.into_iter().any(|store| !tree.has_view(store));
        match is_unknown && read_at.elapsed() >= AGAIN {
            true => self.read_tree(client, lane).await,
            false => Ok(tree),
        }
    }

    /// Returns the labels of return items. Without the right to read them there are none.
    pub(crate) async fn labels(
        &self,
        client: &RestClient,
        lane: Lane,
    ) -> Result<Arc<ReturnLabels>, SourceError> {
        let held = self.labels.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, labels)) = held.filter(|(read_at, _)| read_at.elapsed() < LABELS_OLD) {
            return Ok(labels);
        }
        let mut labels = ReturnLabels::new();
        for attribute in LABELLED {
            let path = format!("returnsAttributeMetadata/{attribute}");
            match client
                .get(lane, &path, &Query::of_fields("options[label,value]"))
                .await
            {
                Ok(metadata) => labels.extend(options(attribute, &metadata)),
                // Not available in this version: the items are read without labels.
                Err(
                    Failure::NoRoute { .. }
                    | Failure::NoEntity
                    | Failure::Refused { .. }
                    | Failure::Poisoned { .. },
                ) => {}
                Err(failure) => return Err(source_error(failure)),
            }
        }
        let labels = Arc::new(labels);
        let mut held = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some((Instant::now(), Arc::clone(&labels)));
        Ok(labels)
    }
}

fn options(attribute: &'static str, metadata: &Value) -> Vec<((&'static str, String), String)> {
    let options = objects(metadata.get("options")).into_iter();
    options
        .filter_map(|option| Some(((attribute, text(option, "value")?), text(option, "label")?)))
        .collect()
}
