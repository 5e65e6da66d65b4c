//! Websites with currency and tax, groups and store views of the simulated shop.

use crate::amount::Amount;
use crate::sql::{Row, cells};

/// A website, with its base currency and tax.
#[derive(Debug)]
pub(crate) struct Website {
    pub id: i64,
    pub code: &'static str,
    pub name: &'static str,
    pub currency: &'static str,
    /// Smallest amount of the currency.
    pub unit: Amount,
    /// Price of a dollar in this currency. Catalogue prices are in dollars.
    pub per_dollar: Amount,
    pub tax_percent: Amount,
    pub tax_title: &'static str,
    pub country: &'static str,
}

#[derive(Debug)]
pub(crate) struct Store {
    pub id: i64,
    pub code: &'static str,
    pub name: &'static str,
    /// (id, code, name) of its group.
    pub group: (i64, &'static str, &'static str),
    pub website: usize,
    /// Currency the shopper pays in, with its smallest amount and the rate from the base currency.
    pub currency: &'static str,
    pub unit: Amount,
    pub rate: Amount,
    /// Prefix of order numbers. Two are empty, so that the same number occurs in two store views.
    pub number_prefix: &'static str,
}

const CENT: Amount = Amount::hundredths(1);
const YEN: Amount = Amount::whole(1);

/// Declares the websites, one a line: id, code, name; currency, its unit, hundredths for a dollar; hundredths of a per
/// cent of tax, its title; country.
macro_rules! websites {
    ($($id:literal, $code:literal, $name:literal; $currency:literal, $unit:expr, $dollar:literal;
       $tax:literal, $title:literal; $country:literal,)*) => {
        [$(Website {
            id: $id,
            code: $code,
            name: $name,
            currency: $currency,
            unit: $unit,
            per_dollar: Amount::hundredths($dollar),
            tax_percent: Amount::hundredths($tax),
            tax_title: $title,
            country: $country,
        }),*]
    };
}

pub(crate) static WEBSITES: [Website; 4] = websites! {
    1, "base", "Main Website"; "USD", CENT, 100; 825, "US-TX-*-Rate 1"; "US",
    2, "eu", "Europa"; "EUR", CENT, 92; 1900, "DE-MwSt 19%"; "DE",
    3, "jp", "日本"; "JPY", YEN, 15_000; 1000, "消費税 10%"; "JP",
    4, "uk", "United Kingdom"; "GBP", CENT, 79; 2000, "GB VAT 20%"; "GB",
};

const MAIN: (i64, &str, &str) = (1, "main_website_store", "Main Website Store");
const OUTLET: (i64, &str, &str) = (2, "outlet", "Outlet");
const EU: (i64, &str, &str) = (3, "eu_store", "Europäischer Laden");
const EU_B2B: (i64, &str, &str) = (4, "eu_b2b", "Europe B2B");
const JP: (i64, &str, &str) = (5, "jp_store", "日本ストア");
const UK: (i64, &str, &str) = (6, "uk_store", "UK Store");

/// Declares the store views, one a line: id, code, name; group, website; currency, its unit, ten-thousandths for one of
/// the base currency; prefix of order numbers.
macro_rules! stores {
    ($($id:literal, $code:literal, $name:literal; $group:expr, $website:literal;
       $currency:literal, $unit:expr, $rate:literal; $prefix:literal,)*) => {
        [$(Store {
            id: $id,
            code: $code,
            name: $name,
            group: $group,
            website: $website,
            currency: $currency,
            unit: $unit,
            rate: Amount($rate),
            number_prefix: $prefix,
        }),*]
    };
}

pub(crate) static STORES: [Store; 10] = stores! {
    1, "default", "Default Store View"; MAIN, 0; "USD", CENT, 10_000; "",
    2, "es_us", "Español"; MAIN, 0; "USD", CENT, 10_000; "2",
    3, "outlet_en", "Outlet"; OUTLET, 0; "USD", CENT, 10_000; "3",
    4, "de", "Deutsch"; EU, 1; "EUR", CENT, 10_000; "4",
    5, "fr", "Français"; EU, 1; "EUR", CENT, 10_000; "5",
    6, "ch_de", "Schweiz"; EU, 1; "CHF", Amount::hundredths(5), 9_500; "6",
    7, "b2b_en", "B2B"; EU_B2B, 1; "EUR", CENT, 10_000; "7",
    8, "ja", "日本語"; JP, 2; "JPY", YEN, 10_000; "",
    9, "en_jp", "English (Japan)"; JP, 2; "USD", CENT, 67; "9",
    10, "en_gb", "English (UK)"; UK, 3; "GBP", CENT, 10_000; "10",
};

/// Returns the rows of websites, groups and store views, including the admin store with id 0, and of their currencies.
pub(crate) fn store_rows() -> Vec<Row> {
    let mut rows = vec![
        website_row(0, "admin", "Admin", 0),
        group_row(0, 0, "default", "Default", 0),
        store_row(0, "admin", "Admin", (0, 0)),
    ];
    rows.extend(
        WEBSITES
            .iter()
            .map(|site| website_row(site.id, site.code, site.name, site.id)),
    );
    let mut last_group = 0;
    for store in &STORES {
        let site = WEBSITES[store.website].id;
        if store.group.0 != last_group {
            last_group = store.group.0;
            rows.push(group_row(
                store.group.0,
                site,
                store.group.1,
                store.group.2,
                store.id,
            ));
        }
        rows.push(store_row(store.id, store.code, store.name, (site, store.group.0)));
    }
    rows.extend(currency_rows());
    rows
}

fn currency_rows() -> impl Iterator<Item = Row> {
    let base = WEBSITES
        .iter()
        .map(|site| setting_row("websites", site.id, "currency/options/base", site.currency));
    let shown = STORES
        .iter()
        .map(|store| setting_row("stores", store.id, "currency/options/default", store.currency));
    base.chain(shown)
}

fn setting_row(scope: &'static str, id: i64, path: &'static str, value: &'static str) -> Row {
    let cells = cells! {
        "scope": scope,
        "scope_id": id,
        "path": path,
        "value": value,
        // Otherwise the time of the insertion, so that no two shops would be equal.
        "updated_at": "2025-01-01 00:00:00",
    };
    Row::new("core_config_data", cells)
}

fn website_row(id: i64, code: &'static str, name: &'static str, order: i64) -> Row {
    let cells = cells! {
        "website_id": id,
        "code": code,
        "name": name,
        "sort_order": order,
        "is_default": id == 1,
    };
    Row::new("store_website", cells)
}

fn group_row(id: i64, website: i64, code: &'static str, name: &'static str, default_store: i64) -> Row {
    let cells = cells! {
        "group_id": id,
        "website_id": website,
        "code": code,
        "name": name,
        "root_category_id": 2,
        "default_store_id": default_store,
    };
    Row::new("store_group", cells)
}

fn store_row(id: i64, code: &'static str, name: &'static str, (website, group): (i64, i64)) -> Row {
    let cells = cells! {
        "store_id": id,
        "code": code,
        "website_id": website,
        "group_id": group,
        "name": name,
        "is_active": 1,
    };
    Row::new("store", cells)
}
