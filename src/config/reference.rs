//! Every key as a Markdown page, `docs/CONFIGURATION.md`: its meaning and default from the shipped file, its type and range
//! from the schema, and what a change of it needs. A test holds the page in `docs` against this.

use std::collections::BTreeMap;

use crate::config::load::DEFAULTS;
use crate::config::schema::{self, KEYS, Key, Kind};

const HEAD: &str = "\
<!-- Made by `orderfeed manual` from config/orderfeed.toml and src/config/schema.rs. Do not edit it; see the end of
     ARCHITECTURE.md for the command that makes it anew. -->

# Configuration

";

/// Between the introduction and the keys.
const READING: &str = "
Below, **reload** means that `systemctl reload orderfeed` (SIGHUP) puts a changed value into force without losing a request in
flight; **restart** that the daemon goes on with the old value until it is started again, and says so in its log
(`OF01-04`). A configuration that is not valid changes nothing. Website codes are yours, `*` stands for one of them.
";

/// What the shipped file says about its keys.
#[derive(Debug, Default)]
struct Said {
    introduction: Vec<String>,
    /// By table: what stands beside its header.
    tables: BTreeMap<String, String>,
    /// By key: its meaning, and its default as written.
    keys: BTreeMap<&'static str, (String, Option<String>)>,
}

impl Said {
    /// The meaning of a key, and its default. The keys of the sandbox mean what those of production mean.
    fn of(&self, path: &str) -> (String, Option<String>) {
        let (meaning, default) = self.keys.get(path).cloned().unwrap_or_default();
        let twin = path.replace(".sandbox.", ".production.");
        match self.keys.get(twin.as_str()) {
            Some((told, _)) if meaning.is_empty() => (told.clone(), default),
            _ => (meaning, default),
        }
    }
}

/// The page.
pub fn reference() -> String {
    let said = read(DEFAULTS);
    let mut page = HEAD.to_owned();
    for line in &said.introduction {
        page.push_str(line);
        page.push('\n');
    }
    page.push_str(READING);
    let mut table = "";
    for key in KEYS {
        let (section, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if section != table {
            table = section;
            page.push_str(&section_head(section, said.tables.get(section)));
        }
        page.push_str(&row(key, name, &said));
    }
    page
}

fn section_head(section: &str, beside: Option<&String>) -> String {
    let note = beside.filter(|note| !note.is_empty());
    let note = note.map_or_else(String::new, |note| format!("{}.\n\n", sentence(note)));
    format!(
        "\n## [{section}]\n\n{note}| key | takes | default | after a change | meaning |\n|---|---|---|---|---|\n"
    )
}

fn row(key: &Key, name: &str, said: &Said) -> String {
    let (meaning, default) = said.of(key.path);
    let default = match default {
        Some(value) => format!("`{value}`"),
        None if meaning.starts_with("Required") => "none: required".to_owned(),
        None => "none".to_owned(),
    };
    let change = match schema::needs_restart(key.path) {
        Some(_) => "restart",
        // The index has a mode of its own from then on.
        None if key.path == "index.mode" => "none: first start only",
        None => "reload",
    };
    let takes = key.kind.in_a_table(name);
    format!(
        "| `{name}` | {takes} | {default} | {change} | {} |\n",
        meaning.replace('|', "\\|")
    )
}

impl Kind {
    fn in_a_table(self, name: &str) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Secret => "text, secret".to_owned(),
            Self::SecretUrl => "url, its password secret".to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Int(min, max) => {
                let unit = if name.ends_with("_bytes") { " bytes" } else { "" };
                format!("{min} to {max}{unit}")
            }
            Self::Duration(min, max) => format!("duration, `\"{min}\"` to `\"{max}\"`"),
        }
    }
}

/// Reads the shipped file as the document that it is: what stands above a key, or above the keys before it without a
/// gap, is about it.
fn read(text: &str) -> Said {
    let mut said = Said::default();
    let (mut table, mut above, mut spoken) = (String::new(), Vec::new(), String::new());
    let mut lines = text.lines();
    for line in lines.by_ref().take_while(|line| line.starts_with('#')) {
        let line = line.trim_start_matches('#');
        said.introduction
            .push(line.strip_prefix(' ').unwrap_or(line).to_owned());
    }
    // The page is not the file that the introduction speaks of.
    let named = said
        .introduction
        .iter()
        .map(|line| line.replace("this very file", "`config/orderfeed.toml`"));
    said.introduction = preformatted(&named.collect::<Vec<_>>());
    for line in lines {
        let (is_comment, bare) = match line.strip_prefix("# ") {
            Some(bare) => (true, bare),
            None => (false, line),
        };
        if let Some((name, beside)) = header(bare) {
            (table, above, spoken) = (name, Vec::new(), String::new());
            said.tables.insert(table.clone(), beside);
        } else if let Some((key, value)) = setting(bare, &table) {
            if !above.is_empty() {
                spoken = above.join(" ");
                above.clear();
            }
            let default = (!is_comment).then(|| value.to_owned());
            said.keys.insert(key, (spoken.clone(), default));
        } else if is_comment {
            above.push(bare.trim());
        } else {
            above.clear();
        }
    }
    said
}

/// `[a.b]   # note`, with a website's code as `*`.
fn header(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.strip_prefix('[')?.split_once(']')?;
    let path: Vec<String> = name.split('.').map(str::to_owned).collect();
    if !schema::is_table(&path) {
        return None;
    }
    let name = match path.as_slice() {
        [first, _] if first == "websites" => "websites.*".to_owned(),
        _ => name.to_owned(),
    };
    Some((name, rest.trim().trim_start_matches('#').trim().to_owned()))
}

/// `key = value` of a key that the table has.
fn setting<'a>(line: &'a str, table: &str) -> Option<(&'static str, &'a str)> {
    let (name, value) = line.split_once(" = ")?;
    let path: Vec<String> = table.split('.').chain([name]).map(str::to_owned).collect();
    Some((schema::find(&path)?.path, value))
}

/// The introduction in Markdown: what is indented keeps its form, and its first line is a title already.
fn preformatted(lines: &[String]) -> Vec<String> {
    let mut shown = Vec::new();
    let mut inside = false;
    for line in lines {
        if line.starts_with("  ") != inside {
            inside = !inside;
            shown.extend(if inside { ["", "```"] } else { ["```", ""] }.map(str::to_owned));
        }
        shown.push(line.clone());
    }
    if inside {
        shown.push("```".to_owned());
    }
    shown
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + chars.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_row_with_its_meaning() {
        let (page, said) = (reference(), read(DEFAULTS));
        let rows = page.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, KEYS.len());
        // The names of events are told together, beside the table's name.
        let told = |key: &&Key| !key.path.starts_with("events.names.");
        for key in KEYS.iter().filter(told) {
            let (meaning, _) = said.of(key.path);
            assert!(!meaning.is_empty(), "{} has no meaning", key.path);
        }
    }

    #[test]
    fn a_row_says_type_default_and_what_a_change_needs() {
        let page = reference();
        for row in [
            "| `lanes` | 1 to 1024 | `32` | reload | Most requests in flight per website; the number in use adapts. 1 to 1024. |",
            "| `poll_interval` | duration, `\"10ms\"` to `\"1h\"` | `\"2s\"` | restart | Interval at which the source is polled for changes.",
            "| `client_secret` | text, secret | none: required | reload | Required with auth = \"oauth\": the client's secret",
            "| `path` | text | `\"/var/lib/orderfeed/orderfeed.db\"` | restart |",
        ] {
            assert!(page.contains(row), "{row}\n{page}");
        }
        assert!(page.contains("\n## [websites.*]\n\nRequired: one table"));
    }
}
