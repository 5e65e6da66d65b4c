//! The store views of a shop, as its tables `store`, `store_group`, `store_website` and `core_config_data` describe them. Pure.

use std::collections::BTreeMap;

use crate::commerce::read::cells::{self, SourceRow};

/// A store view with what a storefront needs of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShopStoreView {
    pub id: u16,
    pub code: String,
    pub name: String,
    /// The store, which Commerce also calls the group.
    pub store_id: u16,
    pub store_code: String,
    pub store_name: String,
    pub website_id: u16,
    pub website_code: String,
    pub website_name: String,
    /// `None` if the configuration of the shop cannot be read, or does not hold it.
    pub currency: Option<String>,
    pub base_currency: Option<String>,
    pub base_url: Option<String>,
}

/// The paths of `core_config_data` that are read.
pub(crate) const PATHS: [&str; 6] = [
    "currency/options/base",
    "currency/options/default",
    "web/secure/base_url",
    "web/secure/base_link_url",
    "web/unsecure/base_url",
    "web/url/use_store",
];

/// Returns the store view of a row of the tables; `None` if Commerce has not finished it, or a number is not one.
pub(crate) fn view_of(row: &mut impl SourceRow) -> Option<ShopStoreView> {
    let id = |row: &dyn SourceRow, index| u16::try_from(cells::integer(row.cell(index))?).ok();
    let text = |row: &dyn SourceRow, index| cells::text(row.cell(index));
    Some(ShopStoreView {
        id: id(row, 0)?,
        code: text(row, 1)?,
        name: text(row, 2).unwrap_or_default(),
        store_id: id(row, 3)?,
        store_code: text(row, 4)?,
        store_name: text(row, 5).unwrap_or_default(),
        website_id: id(row, 6)?,
        website_code: text(row, 7)?,
        website_name: text(row, 8).unwrap_or_default(),
        currency: None,
        base_currency: None,
        base_url: None,
    })
}

/// The settings of a shop, each for everything, a website or a store view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShopSettings(BTreeMap<(String, u16, String), String>);

impl ShopSettings {
    /// Adds a row of `core_config_data`: scope, id, path, value.
    pub(crate) fn add_row(&mut self, row: &mut impl SourceRow) {
        let text = |index| cells::text(row.cell(index));
        let id = cells::integer(row.cell(1)).and_then(|id| u16::try_from(id).ok());
        if let (Some(scope), Some(id), Some(path), Some(value)) = (text(0), id, text(2), text(3)) {
            self.add(scope, id, path, value);
        }
    }

    fn add(&mut self, scope: String, id: u16, path: String, value: String) {
        self.0.insert((scope, id, path), value);
    }

    /// Returns the value in force for a store view: its own, else its website's, else the shop's.
    fn of(&self, view: &ShopStoreView, path: &str) -> Option<&str> {
        [("stores", view.id), ("websites", view.website_id), ("default", 0)]
            .into_iter()
            .find_map(|(scope, id)| self.0.get(&(scope.to_owned(), id, path.to_owned())))
            .map(String::as_str)
    }

    /// Fills in what the settings hold about a store view.
    pub(crate) fn complete(&self, view: &mut ShopStoreView) {
        // Without rows, Commerce uses its own defaults, of which only the currency is certain.
        if self.0.is_empty() {
            return;
        }
        let currency = |path: &str| self.of(view, path).unwrap_or("USD").to_owned();
        let [base, shown] = ["currency/options/base", "currency/options/default"].map(currency);
        let url = self.base_url(view);
        (view.base_currency, view.currency, view.base_url) = (Some(base), Some(shown), url);
    }

    fn base_url(&self, view: &ShopStoreView) -> Option<String> {
        let of = |path: &str| self.of(view, path).filter(|value| !value.is_empty());
        let plain = of("web/unsecure/base_url");
        let secure = of("web/secure/base_url").or(plain)?;
        let link = of("web/secure/base_link_url").unwrap_or("{{secure_base_url}}");
        let mut url = link
            .replace("{{secure_base_url}}", secure)
            .replace("{{unsecure_base_url}}", plain.unwrap_or(secure));
        // "{{base_url}}" stands for whatever host a request names, so it identifies no store view.
        if url.contains("{{") {
            return None;
        }
        if of("web/url/use_store") == Some("1") {
            url = format!("{}/{}/", url.trim_end_matches('/'), view.code);
        }
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(rows: &[(&str, u16, &str, &str)]) -> ShopSettings {
        let mut settings = ShopSettings::default();
        for (scope, id, path, value) in rows {
            settings.add((*scope).to_owned(), *id, (*path).to_owned(), (*value).to_owned());
        }
        settings
    }

    fn completed(rows: &[(&str, u16, &str, &str)]) -> ShopStoreView {
        let mut view = ShopStoreView {
            id: 4,
            code: "de".to_owned(),
            website_id: 2,
            ..ShopStoreView::default()
        };
        settings(rows).complete(&mut view);
        view
    }

    #[test]
    fn a_store_view_inherits_from_its_website_and_that_from_the_shop() {
        let view = completed(&[
            ("default", 0, "currency/options/default", "USD"),
            ("websites", 2, "currency/options/default", "EUR"),
            ("websites", 3, "currency/options/default", "JPY"),
            ("default", 0, "currency/options/base", "USD"),
            ("stores", 5, "currency/options/default", "CHF"),
        ]);
        assert_eq!(view.currency.as_deref(), Some("EUR"));
        assert_eq!(view.base_currency.as_deref(), Some("USD"));
        assert_eq!(view.base_url, None);
        let own = completed(&[("stores", 4, "currency/options/default", "CHF")]);
        assert_eq!(own.currency.as_deref(), Some("CHF"));
    }

    #[test]
    fn the_address_follows_the_placeholders_and_the_store_code() {
        let plain = ("default", 0, "web/unsecure/base_url", "http://shop.example.com/");
        let secure = ("websites", 2, "web/secure/base_url", "https://de.example.com/");
        let link = ("default", 0, "web/secure/base_link_url", "{{secure_base_url}}");
        let coded = ("default", 0, "web/url/use_store", "1");
        let url = |rows: &[(&str, u16, &str, &str)]| completed(rows).base_url;
        assert_eq!(url(&[plain]).as_deref(), Some("http://shop.example.com/"));
        assert_eq!(
            url(&[plain, secure, link]).as_deref(),
            Some("https://de.example.com/")
        );
        assert_eq!(
            url(&[plain, secure, coded]).as_deref(),
            Some("https://de.example.com/de/")
        );
        assert_eq!(
            url(&[("default", 0, "web/secure/base_url", "{{base_url}}")]),
            None
        );
    }

    #[test]
    fn settings_that_cannot_be_read_leave_nothing_but_the_tables() {
        assert_eq!(completed(&[]).currency, None);
    }
}
