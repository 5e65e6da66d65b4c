//! `/connector`: the specification's two pages, *Commerce Services Connector* and *Experience Platform Connector*, with the
//! origin and the validity of each value.

mod fields;

use askama::Template;

use crate::config::{
    Config, ConfigErrors, ConfigProblem, EffectiveSetting, Environment, LoadedConfig, Origin,
};
use crate::first_sync::report::SyncReport;
use crate::web::connector::fields::{
    COLLECTION, FIRST_SYNC, GENERAL, Kind, PRODUCTION, SANDBOX, SDK_NAME, Spec,
};
use crate::web::parts::{Bar, link};
use crate::web::{Frame, rendered};

/// The data of the page.
pub struct Connector<'a> {
    /// The configuration in force.
    pub config: &'a Config,
    /// The configuration as its files are now; `None` if there is no file.
    pub loaded: Option<&'a Result<LoadedConfig, ConfigErrors>>,
    /// Codes of the websites whose orders were read, configured or not.
    pub of_shop: &'a [String],
    /// Code of the website in scope; the first one if empty.
    pub website: &'a str,
    /// The first syncs of all websites.
    pub first_syncs: &'a [SyncReport],
}

#[derive(Template)]
#[template(path = "connector.html")]
struct ConnectorTemplate<'a> {
    frame: &'a Frame,
    scope: String,
    websites: Vec<ScopeChoice<'a>>,
    errors: &'a [ConfigProblem],
    has_file: bool,
    general: Vec<FieldView>,
    /// The fields of the environment in force.
    chosen: Vec<FieldView>,
    other: Vec<FieldView>,
    has_sdk: bool,
    sdk_name: FieldView,
    collection: Vec<FieldView>,
    window: Vec<FieldView>,
    in_force: InForce,
    sync: Option<&'a SyncReport>,
}

/// A website of the scope switcher.
struct ScopeChoice<'a> {
    code: &'a str,
    is_configured: bool,
}

/// One field with its value.
struct FieldView {
    key: String,
    label: &'static str,
    help: &'static str,
    value: String,
    kind: Kind,
    /// The place of the value; empty if it is not set.
    origin: String,
    /// Messages about it, of the files as they are now.
    problems: Vec<String>,
}

/// The settings of the website in scope that the daemon uses.
struct InForce {
    datastream: String,
    back_office: bool,
    /// On or off, and the reason.
    storefront: String,
}

/// Renders the page.
pub fn connector_page(frame: &Frame, data: &Connector<'_>) -> String {
    let websites = scope_choices(data);
    let first = websites.first().map(|choice| choice.code).unwrap_or_default();
    let known = websites.iter().any(|choice| choice.code == data.website);
    let scope = if known { data.website } else { first }.to_owned();
    let (settings, errors): (&[EffectiveSetting], &[ConfigProblem]) = match data.loaded {
        Some(Ok(loaded)) => (&loaded.settings, &loaded.warnings),
        Some(Err(errors)) => (&[], &errors.0),
        None => (&[], &[]),
    };
    let view = |spec: &Spec| field(spec, &scope, settings, errors);
    let website = data.config.websites.get(&scope);
    let (chosen, other) = match data.config.services_connector.environment {
        Environment::Production => (&PRODUCTION, &SANDBOX),
        Environment::Sandbox => (&SANDBOX, &PRODUCTION),
    };
    rendered(ConnectorTemplate {
        frame,
        has_file: data.loaded.is_some(),
        general: GENERAL.iter().map(view).collect(),
        chosen: chosen.iter().map(view).collect(),
        other: other.iter().map(view).collect(),
        has_sdk: data.config.web_sdk.name.is_some(),
        sdk_name: view(&SDK_NAME),
        collection: COLLECTION.iter().map(view).collect(),
        window: FIRST_SYNC.iter().map(view).collect(),
        in_force: InForce {
            datastream: website
                .and_then(|website| website.datastream.as_ref())
                .map_or_else(String::new, ToString::to_string),
            back_office: website.is_some_and(|website| website.back_office_events),
            storefront: website.map_or_else(String::new, |website| website.storefront().to_string()),
        },
        sync: data.first_syncs.iter().find(|sync| sync.website == scope),
        errors: match data.loaded {
            Some(Err(errors)) => &errors.0,
            _ => &[],
        },
        scope,
        websites,
    })
}

/// Returns the configured websites, then those of the shop that are not.
fn scope_choices<'a>(data: &Connector<'a>) -> Vec<ScopeChoice<'a>> {
    let configured = data.config.websites.keys().map(String::as_str);
    let others = data.of_shop.iter().map(String::as_str);
    let others = others.filter(|code| !data.config.websites.contains_key(*code));
    let choice = |is_configured| move |code| ScopeChoice { code, is_configured };
    configured
        .map(choice(true))
        .chain(others.map(choice(false)))
        .collect()
}

fn field(spec: &Spec, scope: &str, settings: &[EffectiveSetting], problems: &[ConfigProblem]) -> FieldView {
    let key = spec.key.replace('*', scope);
    let found = settings.iter().find(|setting| {
        key.strip_prefix(&setting.table)
            .and_then(|rest| rest.strip_prefix('.'))
            == Some(&setting.name)
    });
    // The secret of a key may also be in a file that `KEY_file` names.
    let in_file = settings.iter().find(|setting| {
        spec.kind == Kind::Secret && format!("{}.{}", setting.table, setting.name) == format!("{key}_file")
    });
    let shown = found.or(in_file);
    let value = match (spec.kind, shown) {
        (_, None) => String::new(),
        (Kind::Secret, Some(_)) => "set".to_owned(),
        (_, Some(setting)) => text(&setting.value),
    };
    let about = problems.iter().filter(|problem| problem.key == key);
    FieldView {
        label: spec.label,
        help: spec.help,
        kind: spec.kind,
        value,
        origin: shown.map_or_else(String::new, |setting| origin(&setting.origin)),
        problems: about.map(|problem| problem.message.clone()).collect(),
        key,
    }
}

fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Defaults => "default".to_owned(),
        other => other.to_string(),
    }
}

impl FieldView {
    /// Returns the words that may be chosen; empty for other kinds.
    fn choices(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Choice(words) => words,
            _ => &[],
        }
    }

    fn is_chosen(&self, word: &str) -> bool {
        self.value == word
    }

    fn can_be_saved(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Choice(_))
    }

    /// Returns the value for readers: secrets only as set or not set.
    fn shown(&self) -> &str {
        match (self.value.as_str(), self.kind) {
            ("", _) => "not set",
            (value, _) => value,
        }
    }

    /// Returns the id of the field's control.
    fn id(&self) -> String {
        self.key
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect()
    }
}

impl ConnectorTemplate<'_> {
    fn history_link(&self) -> &'static str {
        "/history"
    }

    fn is_configured(&self) -> bool {
        let found = self.websites.iter().find(|choice| choice.code == self.scope);
        found.is_some_and(|choice| choice.is_configured)
    }

    fn own_link(&self) -> String {
        link("/connector", &[("website", &self.scope)])
    }

    fn bar(&self, sync: &SyncReport) -> Bar {
        Bar(match (sync.completed_at, sync.events) {
            (Some(_), _) => 1.0,
            (None, 0) => 0.0,
            (None, events) => sync.sent_events as f64 / events as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::status::testing::first_sync;
    use crate::web::testing::{frame, operator};

    fn loaded(text: &str) -> Result<LoadedConfig, ConfigErrors> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orderfeed.toml");
        std::fs::write(&path, text).unwrap();
        let loaded = crate::config::load(&path, std::iter::empty());
        let there = dir.path().display().to_string();
        // The directory of the test must not be part of a snapshot.
        loaded.map(|mut loaded| {
            for setting in &mut loaded.settings {
                if let Origin::Line(path, line) = &setting.origin {
                    let path = path.display().to_string().replace(&there, "/etc/orderfeed");
                    setting.origin = Origin::Line(std::path::Path::new(&path).into(), *line);
                }
            }
            loaded
        })
    }

    const VALID: &str = "[services_connector]\norganization_id = \"53A16ACB5CC1D3760A495C99@AdobeOrg\"\n\
        [services_connector.production]\ndata_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\napi_key = \"0123secret\"\n\
        [edge]\nurl = \"http://127.0.0.1:9\"\nauth = \"none\"\n[source]\nkind = \"sqlite\"\n\
        [websites.base]\ndatastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"\nback_office_events = true\n";

    fn page(frame: &Frame, loaded: &Result<LoadedConfig, ConfigErrors>) -> String {
        page_of("base", frame, loaded)
    }

    fn page_of(website: &str, frame: &Frame, loaded: &Result<LoadedConfig, ConfigErrors>) -> String {
        let config = loaded
            .as_ref()
            .map(|loaded| loaded.config.clone())
            .unwrap_or_default();
        connector_page(
            frame,
            &Connector {
                config: &config,
                loaded: Some(loaded),
                of_shop: &["base".to_owned(), "outlet".to_owned()],
                website,
                first_syncs: &[first_sync("base")],
            },
        )
    }

    #[test]
    fn the_fields_have_the_labels_of_the_specification_and_their_origins() {
        let page = page(&frame("/connector"), &loaded(VALID));
        for label in [
            "Commerce Services Connector",
            "Experience Platform Connector",
            "Scope",
            "Organization ID (Global)",
            "Is the AEP Web SDK already deployed to your site",
            "AEP Web SDK Name (Global)",
            "Storefront events",
            "Back office events",
            "Datastream ID (Website)",
        ] {
            assert!(page.contains(label), "{label}");
        }
        assert!(
            !page.contains("0123secret") && page.contains("/etc/orderfeed/orderfeed.toml:2"),
            "{page}"
        );
        insta::assert_snapshot!(page);
    }

    #[test]
    fn an_operator_who_may_edit_gets_the_form() {
        let page = page(&operator("/connector"), &loaded(VALID));
        assert!(!page.contains("0123secret"));
        assert!(
            page.contains("/actions/settings-save") && page.contains("name=\"websites.base.datastream_id\""),
            "{page}"
        );
        insta::assert_snapshot!(page);
    }

    #[test]
    fn a_website_of_the_shop_that_is_not_connected_can_be() {
        let page = page_of("outlet", &operator("/connector"), &loaded(VALID));
        assert!(page.contains("outlet is not connected"), "{page}");
        assert!(page.contains("name=\"websites.outlet.datastream_id\""), "{page}");
        insta::assert_snapshot!(page);
    }

    #[test]
    fn what_is_wrong_in_the_files_is_shown_beside_what_is_in_force() {
        let wrong = loaded(&VALID.replace(
            "ebebf826-a01f-4458-8cec-ef61de241c93",
            "\\\"><script>alert(1)</script>",
        ));
        let page = page(&frame("/connector"), &wrong);
        assert!(wrong.is_err() && !page.contains("<script>alert"), "{page}");
        assert!(page.contains("websites.base.datastream_id"), "{page}");
    }
}
