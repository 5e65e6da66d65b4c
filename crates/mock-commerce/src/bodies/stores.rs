//! Websites, store groups and store views, and the labels of returns.

use crate::bodies::scene::Scene;
use crate::json::{Json, map};
use crate::shop::row::Row;

/// The plain lists, which need no search criteria.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scopes {
    Websites,
    Groups,
    Views,
}

/// Returns a list of scopes, the admin's (id 0) included.
pub(crate) fn scopes(scene: Scene<'_>, scopes: Scopes) -> rusqlite::Result<Json> {
    let table = match scopes {
        Scopes::Websites => "store_website",
        Scopes::Groups => "store_group",
        Scopes::Views => "store",
    };
    let id = |row: &Row, column: &str| match scene.config.text_store_ids {
        true => Json::from(row.text(column)),
        false => Json::from(row.int(column)),
    };
    let scope = |row: &Row| match scopes {
        Scopes::Websites => map! {
            "id": id(row, "website_id"),
            "code": row.text("code"),
            "name": row.text("name"),
            "default_group_id": id(row, "default_group_id"),
        },
        Scopes::Groups => map! {
            "id": id(row, "group_id"),
            "website_id": id(row, "website_id"),
            "root_category_id": row.int("root_category_id").unwrap_or_default(),
            "default_store_id": id(row, "default_store_id"),
            "name": row.text("name"),
            "code": row.text("code"),
        },
        Scopes::Views => map! {
            "id": id(row, "store_id"),
            "code": row.text("code"),
            "name": row.text("name"),
            "website_id": id(row, "website_id"),
            "store_group_id": id(row, "group_id"),
            "is_active": row.int("is_active").unwrap_or_default(),
        },
    };
    let rows = scene.reading.all(table)?;
    Ok(Json::List(rows.iter().map(scope).collect()))
}

/// Returns the metadata of an attribute of returns, with the labels of its options.
pub(crate) fn return_attribute(name: &str) -> Option<Json> {
    let labels: &[&str] = match name {
        "reason" => &["Wrong Color", "Wrong Size", "Out of Service"],
        "condition" => &["Unopened", "Opened", "Damaged"],
        "resolution" => &["Exchange", "Refund", "Store Credit"],
        _ => return None,
    };
    let option = |(index, label): (usize, &&str)| map! { "label": *label, "value": (index + 1).to_string() };
    let empty = map! { "label": " ", "value": "" };
    let options: Vec<Json> = std::iter::once(empty)
        .chain(labels.iter().enumerate().map(option))
        .collect();
    Some(map! { "attribute_code": name, "frontend_input": "select", "options": options })
}
