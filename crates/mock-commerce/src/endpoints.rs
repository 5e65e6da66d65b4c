//! The endpoints of the API: lists by search criteria, single documents, stores.

use crate::bodies;
use crate::bodies::scene::Scene;
use crate::bodies::stores::Scopes;
use crate::config::{MockConfig, Permission, Release};
use crate::faults::Effect;
use crate::json::{Json, map};
use crate::problem::Problem;
use crate::search::criteria::Criteria;
use crate::search::fields::{Fields, Wanted};
use crate::search::query::Parameter;
use crate::search::sql::{Condition, order_by};
use crate::shop::lists::List;
use crate::shop::row::Row;
use crate::shop::{Reading, Shop};

/// An endpoint, by the part of the path after `/V1/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    List(List),
    Single(List, i64),
    /// History of one order, or of one return.
    Comments(List, i64),
    Scopes(Scopes),
    ReturnAttribute(String),
}

impl Endpoint {
    /// Finds the endpoint of a path.
    ///
    /// # Errors
    /// If there is none, or the shop lacks its module.
    pub(crate) fn of(path: &str, config: &MockConfig) -> Result<Self, Problem> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let endpoint = match parts[..] {
            ["store", "websites"] => Self::Scopes(Scopes::Websites),
            ["store", "storeGroups"] => Self::Scopes(Scopes::Groups),
            ["store", "storeViews"] => Self::Scopes(Scopes::Views),
            ["returnsAttributeMetadata", name] => Self::ReturnAttribute(name.to_owned()),
            [name] => Self::List(list_of(name, 0)?),
            [name, id] => Self::Single(list_of(name, 1)?, number(id)?),
            [name @ ("orders" | "returns"), id, "comments"] => Self::Comments(list_of(name, 1)?, number(id)?),
            _ => return Err(Problem::no_route()),
        };
        if endpoint.permission() == Permission::Returns && !config.returns {
            return Err(Problem::no_route());
        }
        Ok(endpoint)
    }

    pub(crate) fn permission(&self) -> Permission {
        match self {
            Self::List(list) | Self::Single(list, _) | Self::Comments(list, _) => list.permission(),
            Self::Scopes(_) => Permission::Stores,
            Self::ReturnAttribute(_) => Permission::Returns,
        }
    }
}

fn list_of(name: &str, which: usize) -> Result<List, Problem> {
    let named = |list: &List| list.names()[which] == name;
    List::ALL.into_iter().find(named).ok_or_else(Problem::no_route)
}

fn number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::wrong_type(text))
}

/// The body of a successful answer.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) body: Json,
    pub(crate) rows: usize,
}

/// Computes an answer. Blocks.
///
/// # Errors
/// The problem that Commerce answers with instead.
pub(crate) fn serve(
    shop: &Shop,
    config: &MockConfig,
    endpoint: &Endpoint,
    query: &Parameter,
    effect: Option<&Effect>,
) -> Result<Served, Problem> {
    let fields = match query.text(&["fields"]) {
        None => None,
        Some(text) => match Fields::parse(text) {
            Some(fields) => Some(fields),
            None => return Ok(empty_list()),
        },
    };
    let wanted = fields.as_ref().map_or(Wanted::All, Wanted::Only);
    let answered = shop.read(|reading| {
        let scene = Scene {
            reading,
            config,
            wanted,
        };
        answer(scene, endpoint, query, effect)
    });
    // An error of the database is hidden as every other exception.
    let mut served = answered.map_err(|_| Problem::masked(config))??;
    if let Some(fields) = &fields {
        served.body = fields.apply(served.body);
    }
    Ok(served)
}

/// Returns the answer to a filter of fields that names nothing.
pub(crate) fn empty_list() -> Served {
    Served {
        body: Json::List(Vec::new()),
        rows: 0,
    }
}

type Answered = rusqlite::Result<Result<Served, Problem>>;

fn answer(scene: Scene<'_>, endpoint: &Endpoint, query: &Parameter, effect: Option<&Effect>) -> Answered {
    match endpoint {
        Endpoint::List(list) => page(scene, *list, query, effect),
        Endpoint::Single(list, id) => single(scene, *list, *id),
        Endpoint::Comments(list, id) => comments(scene, *list, *id),
        Endpoint::Scopes(scopes) => {
            let body = bodies::stores::scopes(scene, *scopes)?;
            let rows = if let Json::List(rows) = &body {
                rows.len()
            } else {
                0
            };
            Ok(Ok(Served { body, rows }))
        }
        Endpoint::ReturnAttribute(name) => Ok(bodies::stores::return_attribute(name)
            .map(|body| Served { body, rows: 1 })
            .ok_or_else(Problem::no_entity)),
    }
}

fn page(scene: Scene<'_>, list: List, query: &Parameter, effect: Option<&Effect>) -> Answered {
    let config = scene.config;
    let selection = match Selection::read(list, query, config) {
        Ok(selection) => selection,
        Err(problem) => return Ok(Err(problem)),
    };
    let (rows, total) = selection.rows(scene.reading, list, config)?;
    if let Some(problem) = obstacle(list, &rows, config) {
        return Ok(Err(problem));
    }
    let inner = Scene {
        wanted: scene.wanted.of("items"),
        ..scene
    };
    let mut documents = bodies::documents(inner, list, &rows)?;
    if list == List::Returns && config.bare_return_lists {
        bodies::returns::strip(&mut documents);
    }
    let mut total = i64::try_from(total).unwrap_or(i64::MAX);
    disturb(&mut documents, &mut total, effect);
    let rows = documents.len();
    let body = map! {
        "items": documents,
        "search_criteria": selection.criteria.echo(),
        "total_count": total,
    };
    Ok(Ok(Served { body, rows }))
}

/// Changes a page as a fault asks for.
fn disturb(documents: &mut Vec<Json>, total: &mut i64, effect: Option<&Effect>) {
    match effect {
        Some(Effect::DoubledRows) => documents.extend(documents.first().cloned()),
        Some(Effect::Unsorted) => documents.reverse(),
        Some(Effect::ShortPage) => documents.truncate(documents.len() / 2),
        Some(Effect::WrongCount(difference)) => *total = (*total + difference).max(0),
        _ => {}
    }
}

fn single(scene: Scene<'_>, list: List, id: i64) -> Answered {
    let rows = by_id(scene, list, id)?;
    if let Some(problem) = obstacle(list, &rows, scene.config) {
        return Ok(Err(problem));
    }
    let document = bodies::documents(scene, list, &rows)?.pop();
    Ok(document
        .map(|body| Served { body, rows: 1 })
        .ok_or_else(Problem::no_entity))
}

fn comments(scene: Scene<'_>, list: List, id: i64) -> Answered {
    let rows = by_id(scene, list, id)?;
    if rows.is_empty() {
        return Ok(Err(Problem::no_entity()));
    }
    let inner = Scene {
        wanted: scene.wanted.of("items"),
        ..scene
    };
    let items = match list {
        List::Orders => bodies::comments(inner, id)?,
        _ => {
            let whole = Scene {
                wanted: Wanted::All,
                ..scene
            };
            let document = bodies::documents(whole, list, &rows)?.pop();
            match document.as_ref().and_then(|document| document.get("comments")) {
                Some(Json::List(comments)) => comments.clone(),
                _ => Vec::new(),
            }
        }
    };
    let rows = items.len();
    let body = map! {
        "total_count": i64::try_from(rows).unwrap_or(i64::MAX),
        "items": items,
        "search_criteria": Criteria { current_page: 1, ..Criteria::default() }.echo(),
    };
    Ok(Ok(Served { body, rows }))
}

fn by_id(scene: Scene<'_>, list: List, id: i64) -> rusqlite::Result<Vec<Row>> {
    let mut condition = Condition {
        sql: format!("{} = {id}", list.key()),
        parameters: Vec::new(),
    };
    condition.visible(list, scene.config);
    scene.reading.page(list, &condition, list.key(), None, 0)
}

/// Returns the problem of a page with a document that Commerce cannot answer with.
fn obstacle(list: List, rows: &[Row], config: &MockConfig) -> Option<Problem> {
    let holds = |ids: &std::collections::BTreeSet<i64>| {
        let order = |row: &Row| row.int(list.order_column());
        !ids.is_empty() && rows.iter().filter_map(order).any(|id| ids.contains(&id))
    };
    match list {
        List::Orders if holds(&config.poisoned) => Some(Problem::fatal()),
        List::Orders if holds(&config.deleted_products) => Some(Problem::no_product()),
        List::Transactions if holds(&config.endless_transactions) => Some(Problem::silence()),
        _ => None,
    }
}

/// The rows that a request asks for.
struct Selection {
    criteria: Criteria,
    condition: Condition,
    order_by: String,
}

impl Selection {
    fn read(list: List, query: &Parameter, config: &MockConfig) -> Result<Self, Problem> {
        let mut criteria = Criteria::read(query)?;
        if let Some(limits) = config.limits {
            let size = criteria.page_size.unwrap_or(limits.usual);
            if size > limits.most {
                return Err(Problem::page_too_large(limits.most));
            }
            criteria.page_size = Some(size);
        }
        let hidden = |_| Problem::masked(config);
        Ok(Self {
            condition: Condition::of(list, &criteria, config).map_err(hidden)?,
            order_by: order_by(list, &criteria).map_err(hidden)?,
            criteria,
        })
    }

    /// Returns the rows of the page, and the number of rows of all pages.
    fn rows(
        &self,
        reading: &Reading<'_>,
        list: List,
        config: &MockConfig,
    ) -> rusqlite::Result<(Vec<Row>, u64)> {
        let total = reading.count(list, &self.condition)?;
        let size = self.criteria.page_size;
        let mut page = self.criteria.current_page;
        if let (Release::V2_3, Some(size)) = (config.release, size) {
            // A page past the end is the last one.
            page = page.min(total.div_ceil(size).max(1));
        }
        let offset = size.map_or(0, |size| (page - 1).saturating_mul(size));
        let rows = reading.page(list, &self.condition, &self.order_by, size, offset)?;
        Ok((rows, total))
    }
}

/// Returns the numbers of a list's page, for the ledger.
pub(crate) fn asked_page(query: &Parameter) -> (Option<u64>, Option<u64>) {
    let Some(criteria) = query.get(&["searchCriteria", "search_criteria"]) else {
        return (None, None);
    };
    let number = |names: &[&str]| criteria.text(names).and_then(|text| text.parse().ok());
    (
        number(&["pageSize", "page_size"]),
        number(&["currentPage", "current_page"]),
    )
}
