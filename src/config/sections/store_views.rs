//! `[websites.CODE.store_views.CODE]`: what a shop's pages need of a store view, where the shop's tables are not read.

use std::collections::BTreeMap;

use url::Url;

use crate::config::fields::{Field, Optional, Table, join, table};
use crate::config::reader::ConfigReader;
use crate::config::schema::KeySpec;
use crate::config::values::InvalidValue;

table! {
    /// The given fields of a store view. Others are read from the shop.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct GivenStoreView {
        /// The code of the store, which Commerce also calls the group.
        pub store_code: Option<String> = Optional(parse_code),
        pub currency: Option<String> = Optional(parse_currency),
        /// The address of the store view's pages, by which a page without other information is recognized.
        pub base_url: Option<String> = Optional(parse_base_url),
    }
}

/// One table for each store view, by its code.
pub(super) struct ByViewCode;

impl Field<BTreeMap<String, GivenStoreView>> for ByViewCode {
    fn declare(&self, path: &str, keys: &mut Vec<KeySpec>) {
        GivenStoreView::declare(&join(path, "*"), keys);
    }

    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> BTreeMap<String, GivenStoreView> {
        let codes = reader.settings.names_below(path).into_iter();
        codes
            .map(|code| {
                let table = join(path, &code);
                if parse_code(&code).is_err() {
                    let message =
                        "is not a store view code; expected a letter, then letters, digits and underscores";
                    reader.problem(&table, message);
                }
                (code, GivenStoreView::read(&table, reader))
            })
            .collect()
    }
}

/// Accepts what Commerce accepts as the code of a store or store view.
fn parse_code(text: &str) -> Result<String, InvalidValue> {
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match fits {
        true => Ok(text.to_owned()),
        false => Err(InvalidValue::new(
            "is not a code of Commerce",
            "a letter, then letters, digits and underscores, such as \"main_website_store\"",
        )),
    }
}

fn parse_currency(text: &str) -> Result<String, InvalidValue> {
    match text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()) {
        true => Ok(text.to_owned()),
        false => Err(InvalidValue::new(
            "is not a currency",
            "three capital letters of ISO 4217, such as \"EUR\"",
        )),
    }
}

fn parse_base_url(text: &str) -> Result<String, InvalidValue> {
    let url = Url::parse(text).ok().filter(|url| {
        let is_web = url.scheme() == "https" || url.scheme() == "http";
        is_web && url.has_host() && url.query().is_none() && url.fragment().is_none()
    });
    match url {
        Some(url) => Ok(url.into()),
        None => Err(InvalidValue::new(
            "is not the address of a store view",
            "one such as \"https://shop.example.com/de/\"",
        )),
    }
}
