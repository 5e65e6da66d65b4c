//! The keys that exist: path, type and range of each. Unknown keys, wrong types, ranges, `config show` and the
//! reference page are all decided by this list, which [`crate::config::sections`] declares.

/// A key: its dotted path, with `*` for the code of a website or store view, and the values it accepts.
#[derive(Debug)]
pub(crate) struct KeySpec {
    pub(crate) path: String,
    pub(crate) kind: KeyKind,
}

/// The values that a key accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum KeyKind {
    /// Text; the field's own type checks its form.
    Text,
    /// Text that is never shown. It may also be given as a file (`x_file`) or as a systemd credential.
    Secret,
    /// A URL that may hold a password, shown without it.
    SecretUrl,
    Bool,
    /// A whole number between two bounds, both included.
    Int(i64, i64),
    /// A duration between two bounds, both included.
    Duration(&'static str, &'static str),
}

impl KeyKind {
    /// Returns the type in words, for messages.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Text | Self::Secret | Self::SecretUrl => "text in quotes".into(),
            Self::Bool => "true or false".into(),
            Self::Int(min, max) => format!("a whole number from {min} to {max}"),
            Self::Duration(min, max) => format!("a duration in quotes from \"{min}\" to \"{max}\""),
        }
    }

    /// Returns true if values of this kind must not appear in a message or a listing.
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::SecretUrl)
    }
}

/// All keys, in the order in which they are documented and listed.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) keys: Vec<KeySpec>,
}

impl Schema {
    /// Returns the key with this path, given as segments.
    pub(crate) fn find(&self, path: &[String]) -> Option<&KeySpec> {
        self.keys
            .iter()
            .find(|key| rest_below(key, path).is_some_and(|mut rest| rest.next().is_none()))
    }

    /// Returns true if this path names a table that holds keys or further tables. The empty path is the whole file.
    pub(crate) fn is_table(&self, path: &[String]) -> bool {
        !self.children(path).is_empty()
    }

    /// Returns the names that a table may hold, in order, each once; `*` for the code of a website or store view.
    pub(crate) fn children(&self, path: &[String]) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for key in &self.keys {
            let name = rest_below(key, path).and_then(|mut rest| rest.next());
            names.extend(name.filter(|name| !names.contains(name)));
        }
        names
    }
}

/// Returns the segments of a key's path that follow `path`, if the key is in it.
fn rest_below<'a>(key: &'a KeySpec, path: &[String]) -> Option<impl Iterator<Item = &'a str>> {
    let mut pattern = key.path.split('.');
    path.iter()
        .all(|segment| pattern.next().is_some_and(|want| want == "*" || want == segment))
        .then_some(pattern)
}

/// Keys and tables that are bound to open files and connections: a reload leaves their old values in force. `*` stands
/// for one segment of a path.
pub const FIXED: [&str; 5] = [
    "store.path",
    "services_connector.*.data_space_id",
    "source",
    "admin.listen",
    "log.format",
];

/// Returns the entry of [`FIXED`] that makes a change of this key wait for a restart.
pub(crate) fn needs_restart(path: &str) -> Option<&'static str> {
    let covers = |fixed: &&str| {
        let mut segments = path.split('.');
        fixed.split('.').all(|want| {
            segments
                .next()
                .is_some_and(|segment| want == "*" || want == segment)
        })
    };
    FIXED.into_iter().find(covers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.')
            .filter(|segment| !segment.is_empty())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_website_code_may_be_anything_and_other_names_may_not() {
        let key = |path: &str| KeySpec {
            path: path.to_owned(),
            kind: KeyKind::Text,
        };
        let schema = Schema {
            keys: vec![key("edge.url"), key("edge.auth"), key("websites.*.datastream_id")],
        };
        assert_eq!(
            schema.find(&path("websites.b2b.datastream_id")).unwrap().path,
            "websites.*.datastream_id"
        );
        assert!(schema.find(&path("websites.datastream_id")).is_none());
        assert!(schema.find(&path("edge")).is_none());
        assert!(
            schema.is_table(&path("edge")) && schema.is_table(&path("websites.x")) && schema.is_table(&[])
        );
        assert!(!schema.is_table(&path("edge.url")));
        assert_eq!(schema.children(&path("edge")), ["url", "auth"]);
    }

    #[test]
    fn a_whole_table_may_wait_for_a_restart() {
        assert_eq!(needs_restart("source.mysql.tls.mode"), Some("source"));
        assert_eq!(
            needs_restart("services_connector.sandbox.data_space_id"),
            Some("services_connector.*.data_space_id")
        );
        assert_eq!(needs_restart("services_connector.organization_id"), None);
        assert_eq!(needs_restart("log.level"), None);
    }
}
