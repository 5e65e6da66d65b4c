//! The parked events that a form selects: by key, or all that match a filter. Pure.

use crate::config::HumanDuration;
use crate::daemon::admin::form::Form;
use crate::daemon::control::resync::parse_time;
use crate::daemon::control::selection::{Key, Selection, SelectionFilter};
use crate::ops::command_line::CommandLine;
use orderfeed_model::clock::UtcMillis;

/// Most events that a form may name; more are selected by a filter.
const MAX_KEYS: usize = 5_000;
/// Fields of which one must be there to select all events that match.
const FILTERS: [&str; 6] = ["website", "kind", "code", "older", "until", "order"];
/// Longest list of keys in a command line on a page.
const MAX_SHOWN_KEYS: usize = 20;

/// The parked events that a form selects.
#[derive(Clone, Debug)]
pub(super) struct Selected {
    keys: Vec<Key>,
    filter: SelectionFilter,
}

impl Selected {
    pub(super) fn read(form: &Form, now: UtcMillis) -> Result<Self, String> {
        let keys = form
            .values("key")
            .map(str::parse)
            .collect::<Result<Vec<Key>, _>>();
        let keys = keys.map_err(|error| error.to_string())?;
        if keys.len() > MAX_KEYS {
            return Err(format!("More than {MAX_KEYS} events are selected; use a filter."));
        }
        // A filter may be blank, but a form without one selects single events, and here it selects none.
        let has_filter = FILTERS.iter().any(|name| form.raw(name).is_some());
        if keys.is_empty() && !has_filter {
            return Err("No event is selected.".to_owned());
        }
        let kind = form.value("kind").map(str::parse).transpose();
        let filter = SelectionFilter {
            order: form.value("order").map(str::to_owned),
            website: form.value("website").map(str::to_owned),
            code: form.value("code").map(str::to_owned),
            kind: kind.map_err(|error| format!("{error}."))?,
            since: None,
            until: Some(until(form, now)?),
        };
        Ok(Self { keys, filter })
    }

    /// Returns true if single events were selected, false for all that match the filter.
    pub(super) fn names_events(&self) -> bool {
        !self.keys.is_empty()
    }

    pub(super) fn selection(&self) -> Selection {
        let filter = match self.names_events() {
            true => SelectionFilter::default(),
            false => self.filter.clone(),
        };
        Selection {
            keys: self.keys.clone(),
            filter,
        }
    }

    fn parts(&self) -> [(&'static str, Option<String>); 5] {
        let SelectionFilter {
            order,
            website,
            code,
            kind,
            until,
            ..
        } = self.filter.clone();
        [
            ("order", order),
            ("website", website),
            ("code", code),
            ("kind", kind.map(String::from)),
            ("until", until.map(|at| at.rfc3339())),
        ]
    }

    pub(super) fn command(&self, words: &str) -> CommandLine {
        let command = CommandLine::new(words);
        if !self.names_events() {
            return self.parts().iter().fold(command, |command, (name, value)| {
                command.option(&format!("--{name}"), value.as_deref())
            });
        }
        let shown = self.keys.iter().take(MAX_SHOWN_KEYS);
        let command = shown.fold(command, |command, key| command.arg(&key.to_string()));
        match self.keys.len() > MAX_SHOWN_KEYS {
            true => command.arg("…"),
            false => command,
        }
    }

    /// Returns the selection for the log.
    pub(super) fn description(&self) -> String {
        if self.names_events() {
            let shown = self.keys.iter().take(MAX_SHOWN_KEYS);
            let keys: Vec<String> = shown.map(Key::to_string).collect();
            return format!("keys={}", keys.join(","));
        }
        let parts = self.parts().into_iter();
        let parts: Vec<String> = parts
            .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
            .collect();
        parts.join(" ")
    }

    /// Makes the form of the confirmation select the events that were counted: those parked later are left alone.
    pub(super) fn fix_time(&self, fields: &mut Vec<(String, String)>) {
        fields.retain(|(name, _)| name != "older" && name != "until");
        if let Some(until) = self.filter.until {
            fields.push(("until".to_owned(), until.rfc3339()));
        }
    }
}

/// Returns the time before which the selected events were parked: `until`, or now minus `older`.
fn until(form: &Form, now: UtcMillis) -> Result<UtcMillis, String> {
    if let Some(text) = form.value("until") {
        return parse_time(text).map_err(|expected| format!("The time {text:?} is not valid: {expected}."));
    }
    let Some(age) = form.value("older") else {
        return Ok(now);
    };
    let age: HumanDuration = age.parse().map_err(|error| format!("The age {age:?} {error}."))?;
    Ok(now.plus_millis(-age.millis()))
}
