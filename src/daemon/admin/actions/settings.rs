//! The action `settings-save`. The names of its fields are keys; those without a dot belong to the website of the scope.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use crate::config::{Config, EditedSettings, SettingChange};
use crate::daemon::admin::access::guard::error;
use crate::daemon::admin::actions::context::{Actions, Sent, result};
use crate::daemon::admin::actions::editor::Editor;
use crate::daemon::admin::actions::run::Entry;
use crate::daemon::admin::form::Form;
use crate::ops::sentence::count;
use crate::web::{ActionResult, Confirmation, confirm_page};

/// Fields of the form that are no settings.
const OTHER_FIELDS: [&str; 3] = ["next", "scope", "confirm"];
/// Shows the values that are in force, and their origins.
const COMMAND: &str = "orderfeed config show --origin";

impl Actions {
    pub(super) async fn save_settings(&self, sent: &Sent<'_>) -> Response {
        let config = self.access.config();
        let Some(editor) = self.editor.as_ref().filter(|_| config.admin.edit_settings) else {
            let text = "Settings cannot be changed here: admin.edit_settings is not true.";
            return error(sent.frame, StatusCode::FORBIDDEN, text);
        };
        let wanted = settings(sent.form);
        if !sent.form.is_confirmed() {
            match editor.check(wanted.clone(), &config).await {
                Err(refused) => return self.refuse(sent, &refused),
                Ok(edited) => {
                    if let Some(asked) = question(sent, &edited, &config) {
                        return Html(confirm_page(sent.frame, &asked)).into_response();
                    }
                }
            }
        }
        self.save(sent, editor, wanted, &config).await
    }

    async fn save(
        &self,
        sent: &Sent<'_>,
        editor: &Editor,
        wanted: Vec<(String, String)>,
        config: &Config,
    ) -> Response {
        match editor.save(wanted, config).await {
            Err(refused) => self.refuse(sent, &refused),
            Ok(edited) if edited.changes.is_empty() => {
                self.back(sent, "No setting was changed.".to_owned(), false)
            }
            Ok(edited) => {
                let text = format!(
                    "{} saved in {} and in force.",
                    count(edited.changes.len() as u64, "setting"),
                    edited.path.display()
                );
                entry(sent, &keys(&edited.changes)).log_done(edited.changes.len() as u64, &text);
                self.back(sent, text, false)
            }
        }
    }

    /// Shows every value that was refused. Nothing was saved.
    fn refuse(&self, sent: &Sent<'_>, refused: &[String]) -> Response {
        let names: Vec<String> = settings(sent.form).into_iter().map(|(key, _)| key).collect();
        entry(sent, &names.join(",")).log_failed(&refused.join("; "));
        let shown = ActionResult {
            title: "The settings were not saved".to_owned(),
            lines: refused.to_vec(),
            command: COMMAND.to_owned(),
            back: sent.form.next(),
            failed: true,
        };
        (StatusCode::BAD_REQUEST, result(sent.frame, &shown)).into_response()
    }
}

fn entry<'a>(sent: &Sent<'a>, selection: &'a str) -> Entry<'a> {
    Entry {
        action: sent.name,
        who: sent.frame.operator(),
        selection,
    }
}

/// Returns the keys and values of the form.
fn settings(form: &Form) -> Vec<(String, String)> {
    let scope = form.value("scope").unwrap_or_default();
    let fields = form.fields().iter();
    fields
        .filter(|(name, _)| !OTHER_FIELDS.contains(&name.as_str()))
        .map(|(name, value)| match name.contains('.') {
            true => (name.clone(), value.clone()),
            false => (format!("websites.{scope}.{name}"), value.clone()),
        })
        .collect()
}

fn keys(changes: &[SettingChange]) -> String {
    let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    keys.join(",")
}

/// Returns the question before changes that send a website's events for the first time, or to another datastream: what is at
/// the edge cannot be taken back.
fn question(sent: &Sent<'_>, edited: &EditedSettings, before: &Config) -> Option<Confirmation> {
    let after = &edited.loaded.config;
    let sends_elsewhere = |(code, website): (&String, &crate::config::Website)| {
        let old = before.sending_website(code);
        let is_other = old.is_none_or(|old| old.datastream != website.datastream);
        (website.back_office_events && is_other).then(|| code.clone())
    };
    let codes: Vec<String> = after.websites.iter().filter_map(sends_elsewhere).collect();
    if codes.is_empty() {
        return None;
    }
    let shown = |text: &str| match text {
        "" => "not set".to_owned(),
        text => text.to_owned(),
    };
    let line =
        |change: &SettingChange| format!("{}: {} → {}", change.key, shown(&change.from), shown(&change.to));
    let fields = sent.form.fields().iter();
    let mut hidden: Vec<_> = fields.filter(|(name, _)| name != "confirm").cloned().collect();
    hidden.push(("confirm".to_owned(), "yes".to_owned()));
    Some(Confirmation {
        title: "Save settings".to_owned(),
        sentence: format!(
            "Events of {} will be sent to a datastream that did not receive them before, its history included if it is new.",
            codes.join(", ")
        ),
        preview: edited.changes.iter().map(line).collect(),
        command: COMMAND.to_owned(),
        hidden,
        action: format!("/actions/{}", sent.name),
        button: "Save".to_owned(),
        back: sent.form.next(),
        is_final: true,
    })
}
