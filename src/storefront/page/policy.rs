//! A content security policy: which scripts and connections it allows.
//! See <https://www.w3.org/TR/CSP3/#match-url-to-source-list>.

use std::collections::BTreeMap;

use url::Url;

/// A policy's directives with their sources.
#[derive(Debug)]
pub(super) struct Policy(BTreeMap<String, Vec<String>>);

impl Policy {
    pub(super) fn parse(text: &str) -> Self {
        let mut directives = BTreeMap::new();
        for directive in text.split(';') {
            let mut words = directive.split_whitespace().map(str::to_owned);
            if let Some(name) = words.next() {
                // The first of two directives with one name is in force.
                directives
                    .entry(name.to_ascii_lowercase())
                    .or_insert(words.collect());
            }
        }
        Self(directives)
    }

    /// Returns the sources of the first of these directives that the policy has; `None` if it does not restrict them.
    fn sources(&self, names: &[&str]) -> Option<&[String]> {
        names.iter().find_map(|name| self.0.get(*name)).map(Vec::as_slice)
    }

    pub(super) fn allows_script(&self, page: &Url, script: &Url, has_nonce: bool) -> bool {
        let Some(sources) = self.sources(&["script-src-elem", "script-src", "default-src"]) else {
            return true;
        };
        let has = |start: &str| {
            sources
                .iter()
                .any(|source| source.to_ascii_lowercase().starts_with(start))
        };
        if has_nonce && has("'nonce-") {
            return true;
        }
        // With it, only scripts with a nonce or a hash run, whatever hosts are listed.
        !has("'strict-dynamic'") && sources.iter().any(|source| matches(source, page, script))
    }

    pub(super) fn allows_connection(&self, page: &Url, target: &Url) -> bool {
        self.sources(&["connect-src", "default-src"])
            .is_none_or(|sources| sources.iter().any(|source| matches(source, page, target)))
    }
}

/// Returns true if a source expression matches an address.
fn matches(source: &str, page: &Url, target: &Url) -> bool {
    let source = source.to_ascii_lowercase();
    match source.as_str() {
        "*" => {
            return ["http", "https", "ws", "wss"].contains(&target.scheme())
                || target.scheme() == page.scheme();
        }
        "'self'" => return page.origin() == target.origin(),
        keyword if keyword.starts_with('\'') => return false,
        _ => {}
    }
    if let Some(scheme) = source.strip_suffix(':') {
        return is_scheme(scheme, target);
    }
    let (scheme, rest) = source
        .split_once("://")
        .map_or((None, source.as_str()), |(scheme, rest)| (Some(scheme), rest));
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, ""), |(authority, path)| (authority, path));
    let (host, port) = authority
        .rsplit_once(':')
        .map_or((authority, None), |(host, port)| (host, Some(port)));
    is_scheme(scheme.unwrap_or(page.scheme()), target)
        && is_host(host, target.host_str().unwrap_or_default())
        && is_port(port, target)
        && is_path(path, target.path())
}

/// A policy for http also allows https.
fn is_scheme(scheme: &str, target: &Url) -> bool {
    scheme == target.scheme() || (scheme == "http" && target.scheme() == "https")
}

fn is_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(end) => host.ends_with(end),
        None => pattern == host,
    }
}

fn is_port(port: Option<&str>, target: &Url) -> bool {
    let usual = match target.scheme() {
        "https" | "wss" => 443,
        _ => 80,
    };
    let own = target.port().unwrap_or(usual);
    match port {
        Some("*") => true,
        Some(port) => port == own.to_string(),
        None => own == usual,
    }
}

/// A path that ends with a slash allows what is below it.
fn is_path(path: &str, own: &str) -> bool {
    let own = own.trim_start_matches('/');
    match path {
        "" => true,
        directory if directory.ends_with('/') => own.starts_with(directory),
        file => own == file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_match_as_in_the_specification() {
        let page = Url::parse("https://shop.example.com/p").unwrap();
        for (source, target, expected) in [
            ("*", "https://a.example/x.js", true),
            ("'self'", "https://shop.example.com/x.js", true),
            ("'self'", "https://cdn.example.com/x.js", false),
            ("https:", "https://a.example/x.js", true),
            ("*.example.com", "https://cdn.example.com/x.js", true),
            ("*.example.com", "https://example.com/x.js", false),
            ("cdn.example.com", "https://cdn.example.com/x.js", true),
            ("cdn.example.com", "https://cdn.example.com:8443/x.js", false),
            ("cdn.example.com:*", "https://cdn.example.com:8443/x.js", true),
            (
                "https://cdn.example.com/files/",
                "https://cdn.example.com/files/x.js",
                true,
            ),
            (
                "https://cdn.example.com/files/",
                "https://cdn.example.com/other/x.js",
                false,
            ),
            ("http://cdn.example.com", "https://cdn.example.com/x.js", true),
            ("'unsafe-inline'", "https://cdn.example.com/x.js", false),
        ] {
            let target = Url::parse(target).unwrap();
            assert_eq!(matches(source, &page, &target), expected, "{source} {target}");
        }
    }

    #[test]
    fn a_strict_policy_needs_a_nonce() {
        let page = Url::parse("https://shop.example.com/p").unwrap();
        let own = Url::parse("https://shop.example.com/storefront/x.js").unwrap();
        let policy = Policy::parse("script-src 'nonce-a' 'strict-dynamic' 'self'; script-src *");
        assert!(policy.allows_script(&page, &own, true) && !policy.allows_script(&page, &own, false));
        assert!(
            policy.allows_connection(&page, &own),
            "it restricts scripts alone"
        );
        assert!(!Policy::parse("default-src 'none'").allows_connection(&page, &own));
    }
}
