//! Every key that exists, with its type and range. The one list that unknown keys, wrong types, ranges and
//! `config show` are decided by; `config/orderfeed.toml` documents exactly these keys (a test holds them together).

/// A key: its dotted path, where `*` stands for a website's code, and what it takes.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Text whose form the section's own type checks.
    Text,
    /// Text that is never shown; `x_file` and a systemd credential are its other ways in.
    Secret,
    /// A url that may hold a password, shown without it.
    SecretUrl,
    /// `true` or `false`.
    Bool,
    /// A whole number between two bounds, both included.
    Int(i64, i64),
    /// A duration between two bounds, both included.
    Duration(&'static str, &'static str),
}

impl Kind {
    /// The type in words, for messages.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Text | Self::Secret | Self::SecretUrl => "text in quotes".into(),
            Self::Bool => "true or false".into(),
            Self::Int(min, max) => format!("a whole number from {min} to {max}"),
            Self::Duration(min, max) => format!("a duration in quotes from \"{min}\" to \"{max}\""),
        }
    }

    /// Whether values of this kind may stand in a message or a listing.
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::SecretUrl)
    }
}

const fn key(path: &'static str, kind: Kind) -> Key {
    Key { path, kind }
}

/// All keys, in the order in which they are documented and listed.
pub(crate) const KEYS: &[Key] = &[
    key("services_connector.organization_id", Kind::Text),
    key("services_connector.environment", Kind::Text),
    key("services_connector.production.api_key", Kind::Secret),
    key("services_connector.production.api_key_file", Kind::Text),
    key("services_connector.production.private_key_file", Kind::Text),
    key("services_connector.production.project_id", Kind::Text),
    key("services_connector.production.data_space_id", Kind::Text),
    key("services_connector.sandbox.api_key", Kind::Secret),
    key("services_connector.sandbox.api_key_file", Kind::Text),
    key("services_connector.sandbox.private_key_file", Kind::Text),
    key("services_connector.sandbox.project_id", Kind::Text),
    key("services_connector.sandbox.data_space_id", Kind::Text),
    key("edge.url", Kind::Text),
    key("edge.auth", Kind::Text),
    key("edge.ca_file", Kind::Text),
    key("edge.oauth.token_url", Kind::Text),
    key("edge.oauth.client_id", Kind::Text),
    key("edge.oauth.client_secret", Kind::Secret),
    key("edge.oauth.client_secret_file", Kind::Text),
    key("edge.oauth.scopes", Kind::Text),
    key("source.kind", Kind::Text),
    key("source.mysql.url", Kind::SecretUrl),
    key("source.mysql.password", Kind::Secret),
    key("source.mysql.password_file", Kind::Text),
    key("source.mysql.table_prefix", Kind::Text),
    key("source.mysql.capture", Kind::Text),
    key("source.mysql.poll_interval", Kind::Duration("10ms", "1h")),
    key("source.mysql.poll_overlap", Kind::Duration("0s", "1d")),
    key("source.mysql.returns_interval", Kind::Duration("5s", "1d")),
    key("source.mysql.connect_timeout", Kind::Duration("100ms", "5m")),
    key("source.mysql.max_connections", Kind::Int(1, 100)),
    key("source.mysql.tls.mode", Kind::Text),
    key("source.mysql.tls.ca_file", Kind::Text),
    key("source.sqlite.path", Kind::Text),
    key("source.sqlite.poll_interval", Kind::Duration("10ms", "1h")),
    key("web_sdk.name", Kind::Text),
    key("websites.*.datastream_id", Kind::Text),
    key("websites.*.web_sdk_datastream_id", Kind::Text),
    key("websites.*.back_office_events", Kind::Bool),
    key("websites.*.storefront_events", Kind::Bool),
    key("index.mode", Kind::Text),
    key("index.batch_size", Kind::Int(1, 100_000)),
    key("cron.time_zone", Kind::Text),
    key("cron.indexer_update_all_views", Kind::Text),
    key("cron.indexer_reindex_all_invalid", Kind::Text),
    key("cron.indexer_clean_all_changelogs", Kind::Text),
    key("cron.resend_failed_items", Kind::Text),
    key("cron.cleanup_delivered_events", Kind::Text),
    key("cron.verify_source", Kind::Text),
    key("cron.history_retention", Kind::Duration("1h", "1y")),
    key("first_sync.window", Kind::Duration("1s", "7d")),
    key("first_sync.history", Kind::Text),
    key("verify.recent", Kind::Duration("1h", "1y")),
    key("verify.nights", Kind::Int(1, 3650)),
    key("verify.budget", Kind::Duration("1s", "1d")),
    key("delivery.max_batch_bytes", Kind::Int(1, 65_536)),
    key("delivery.max_batch_events", Kind::Int(1, 10_000)),
    key("delivery.lanes", Kind::Int(1, 1024)),
    key("delivery.request_units_per_second", Kind::Int(0, 1_000_000)),
    key("delivery.max_pending_events", Kind::Int(1000, 1_000_000_000)),
    key("delivery.connect_timeout", Kind::Duration("100ms", "5m")),
    key("delivery.timeout", Kind::Duration("1s", "10m")),
    key("delivery.stop_budget", Kind::Duration("0s", "10m")),
    key("delivery.retry.initial", Kind::Duration("10ms", "1h")),
    key("delivery.retry.max", Kind::Duration("10ms", "1d")),
    key("privacy.profile", Kind::Text),
    key("privacy.guest_namespace", Kind::Text),
    key("events.names.placed", Kind::Text),
    key("events.names.invoiced", Kind::Text),
    key("events.names.items_shipped", Kind::Text),
    key("events.names.shipment_completed", Kind::Text),
    key("events.names.cancelled", Kind::Text),
    key("events.names.refunded", Kind::Text),
    key("events.names.return_initiated", Kind::Text),
    key("events.names.return_completed", Kind::Text),
    key("store.path", Kind::Text),
    key("store.body_retention", Kind::Duration("0s", "10y")),
    key("store.disk_reserve", Kind::Text),
    key("log.format", Kind::Text),
    key("log.level", Kind::Text),
    key("admin.listen", Kind::Text),
];

/// Keys, or tables of keys, that are bound to open files and connections: a reload leaves the old values in force. `*`
/// stands for one part of a path.
pub const FIXED: [&str; 5] = [
    "store.path",
    "services_connector.*.data_space_id",
    "source",
    "admin.listen",
    "log.format",
];

/// The entry of [`FIXED`] that makes a change of this key wait for a restart.
pub(crate) fn needs_restart(path: &str) -> Option<&'static str> {
    let covers = |fixed: &&str| {
        let mut parts = path.split('.');
        fixed
            .split('.')
            .all(|want| parts.next().is_some_and(|part| want == "*" || want == part))
    };
    FIXED.into_iter().find(covers)
}

/// The entry for a path of segments, if there is such a key.
pub(crate) fn find(path: &[String]) -> Option<&'static Key> {
    KEYS.iter().find(|key| {
        let mut pattern = key.path.split('.');
        path.iter()
            .all(|segment| pattern.next().is_some_and(|want| want == "*" || want == segment))
            && pattern.next().is_none()
    })
}

/// Whether this path names a table that holds keys or further tables. The empty path is the file itself.
pub(crate) fn is_table(path: &[String]) -> bool {
    !children(path).is_empty()
}

/// The names that may stand directly in a table, in order, each once; `*` for a website's code.
pub(crate) fn children(path: &[String]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let mut pattern = key.path.split('.');
        let inside = path
            .iter()
            .all(|segment| pattern.next().is_some_and(|want| want == "*" || want == segment));
        if let (true, Some(name)) = (inside, pattern.next())
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
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
        assert_eq!(
            find(&path("websites.b2b.datastream_id")).unwrap().path,
            "websites.*.datastream_id"
        );
        assert!(find(&path("websites.datastream_id")).is_none());
        assert!(find(&path("edge")).is_none());
        assert!(is_table(&path("edge")) && is_table(&path("websites.x")) && is_table(&[]));
        assert!(!is_table(&path("edge.url")));
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

    #[test]
    fn the_bounds_of_durations_are_durations() {
        for key in KEYS {
            if let Kind::Duration(min, max) = key.kind {
                let bound = |text: &str| text.parse::<crate::config::values::HumanDuration>().unwrap();
                assert!(bound(min) < bound(max), "{}", key.path);
            }
        }
    }
}
