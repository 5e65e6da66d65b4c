//! The store views of a website: read from the shop, given in the configuration, or both.

use serde::Serialize;
use serde_json::{Value, json};

use crate::commerce::stores::ShopStoreView;
use crate::config::{Config, Environment, GivenStoreView, StorefrontConsent, StorefrontMode, Website};
use crate::storefront::error::StorefrontError;

/// A store view as the loader needs it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoreView {
    pub(crate) code: String,
    /// The address of its pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_url: Option<String>,
    /// The collector's context `storefrontInstance`.
    pub(crate) context: Value,
}

/// Returns the store views of a website, the website's id (0 if unknown), and warnings.
pub(crate) fn of_website(
    config: &Config,
    code: &str,
    website: &Website,
    shop: Option<&[ShopStoreView]>,
) -> Result<(Vec<StoreView>, u16, Vec<String>), StorefrontError> {
    let of_shop: Vec<&ShopStoreView> = shop
        .unwrap_or_default()
        .iter()
        .filter(|view| view.website_code.eq_ignore_ascii_case(code))
        .collect();
    let website_id = match website.website_id {
        0 => of_shop.first().map_or(0, |view| view.website_id),
        given => given,
    };
    let mut codes: Vec<&str> = of_shop.iter().map(|view| view.code.as_str()).collect();
    let mut warnings = Vec::new();
    for given in website.store_views.keys() {
        if !codes.contains(&given.as_str()) {
            if shop.is_some() {
                warnings.push(format!(
                    "websites.{code}.store_views.{given}: this website of the shop has no such store view"
                ));
            }
            codes.push(given);
        }
    }
    codes.sort_unstable();
    let mut missing = Vec::new();
    let views: Vec<StoreView> = codes
        .iter()
        .filter_map(|view| {
            let read = of_shop.iter().find(|read| read.code == *view).copied();
            let given = website.store_views.get(*view);
            combined(config, code, view, read, given, &mut missing)
        })
        .collect();
    if config.storefront.consent == StorefrontConsent::CookieRestriction && website_id == 0 {
        missing.push(format!("websites.{code}.website_id"));
    }
    let website = code.to_owned();
    match (views.is_empty() && missing.is_empty(), missing.is_empty()) {
        (true, _) => Err(StorefrontError::NoStoreView { website }),
        (false, false) => Err(StorefrontError::Incomplete {
            website,
            keys: missing.join(", "),
        }),
        (false, true) => {
            warnings.extend(unreachable(code, &views));
            Ok((views, website_id, warnings))
        }
    }
}

/// Returns a store view with all fields, or adds the keys that would complete it.
fn combined(
    config: &Config,
    website: &str,
    code: &str,
    read: Option<&ShopStoreView>,
    given: Option<&GivenStoreView>,
    missing: &mut Vec<String>,
) -> Option<StoreView> {
    let given = given.cloned().unwrap_or_default();
    let store = given
        .store_code
        .or_else(|| read.map(|read| read.store_code.clone()));
    let currency = given.currency.or_else(|| read?.currency.clone());
    for (key, is_known) in [("store_code", store.is_some()), ("currency", currency.is_some())] {
        if !is_known {
            missing.push(format!("websites.{website}.store_views.{code}.{key}"));
        }
    }
    let mut context = json!({
        "environmentId": config.data_space_id().to_string(),
        "environment": environment_name(config.services_connector.environment),
        "websiteCode": read.map_or(website, |read| &read.website_code),
        "storeCode": store?,
        "storeViewCode": code,
        "storeViewCurrencyCode": currency?,
    });
    let base_url = given.base_url.or_else(|| read?.base_url.clone());
    if let Some(url) = &base_url {
        context["storeUrl"] = url.as_str().into();
    }
    let forwards =
        config.storefront.forward_to_commerce || config.storefront.mode == StorefrontMode::Contexts;
    if let Some(read) = read.filter(|_| forwards) {
        add_commerce_fields(&mut context, read);
    }
    Some(StoreView {
        code: code.to_owned(),
        base_url,
        context,
    })
}

/// Adds the fields that only Adobe Commerce's own services need, as far as the shop's source lists them.
fn add_commerce_fields(context: &mut Value, read: &ShopStoreView) {
    for (name, id) in [
        ("websiteId", read.website_id),
        ("storeId", read.store_id),
        ("storeViewId", read.id),
    ] {
        if id != 0 {
            context[name] = id.into();
        }
    }
    let base_currency = read.base_currency.as_deref().unwrap_or_default();
    for (name, text) in [
        ("websiteName", read.website_name.as_str()),
        ("storeName", &read.store_name),
        ("storeViewName", &read.name),
        ("baseCurrencyCode", base_currency),
    ] {
        if !text.is_empty() {
            context[name] = text.into();
        }
    }
}

/// Warns of store views among several that no page can be recognized to belong to.
fn unreachable(website: &str, views: &[StoreView]) -> Vec<String> {
    let is_shared = |view: &&StoreView| {
        let same = views.iter().filter(|other| other.base_url == view.base_url);
        view.base_url.is_none() || same.count() > 1
    };
    let of = |view: &StoreView| {
        let code = &view.code;
        format!(
            "websites.{website}.store_views.{code}: no page is recognized by its address; set base_url, or give the script on its \
             pages data-store-view=\"{code}\""
        )
    };
    match views.len() {
        1 => Vec::new(),
        _ => views.iter().filter(is_shared).map(of).collect(),
    }
}

/// Returns the name that Commerce gives to an environment in its contexts.
fn environment_name(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "Production",
        Environment::Sandbox => "Testing",
    }
}
