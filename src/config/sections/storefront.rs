//! `[storefront]`: the Web SDK that orderfeed deploys for a site, and what the storefront sends through it.

use std::net::IpAddr;
use std::path::PathBuf;

use url::{Host, Url};

use crate::config::fields::{FilePath, Flag, Parse, table};
use crate::config::reader::ConfigReader;
use crate::config::values::{InvalidValue, choices};

table! {
    /// `[storefront]`: the files that a shop's pages load, and what they send.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Storefront {
        pub mode: StorefrontMode = Parse(str::parse),
        /// The directory of Adobe's packages.
        pub packages: PathBuf = FilePath,
        /// The address of the files as a page loads them; it ends with a slash.
        pub url: String = Parse(parse_location),
        pub edge_domain: String = Parse(parse_domain),
        pub consent: StorefrontConsent = Parse(str::parse),
        /// True if consent of the site's own Web SDK is left to the site.
        pub keep_sdk_consent: bool = Flag,
        pub third_party_cookies: bool = Flag,
        pub link_clicks: bool = Flag,
        pub forward_to_commerce: bool = Flag,
        pub personal_data: bool = Flag,
        pub page_views: bool = Flag,
    }
}

choices! {
    /// The parts of Adobe's packages that a site gets.
    pub enum StorefrontMode {
        /// An own instance of the Web SDK beside Adobe's collector, with every setting under control.
        Standalone = "standalone",
        /// Adobe's collector with the Web SDK that it contains, as Adobe deploys it.
        Collector = "collector",
        /// The configuration alone, for a site whose theme or module loads Adobe's collector.
        Contexts = "contexts",
    }
}

choices! {
    /// The condition under which a shopper's events may be sent.
    pub enum StorefrontConsent {
        /// The site calls a function once the shopper has agreed.
        Required = "required",
        /// Commerce's cookie restriction mode: the cookie that its notice sets.
        CookieRestriction = "cookie_restriction",
        /// Every shopper counts as having agreed, until the cookie `mg_dnt` is set.
        Assumed = "assumed",
    }
}

impl Storefront {
    /// Reports settings that Adobe's own instance of the Web SDK does not obey.
    pub(super) fn check(&self, reader: &mut ConfigReader<'_>) {
        // With an SDK of the site's own, no instance of Adobe's is created.
        if self.mode != StorefrontMode::Collector || reader.text("web_sdk.name").is_some() {
            return;
        }
        if !self.personal_data {
            let message = "false cannot be kept with storefront.mode = \"collector\": Adobe's own instance of the Web SDK \
                           sends the e-mail address of a customer; set it to true, or use mode = \"standalone\"";
            reader.problem("storefront.personal_data", message);
        }
        for (key, is_on) in [
            ("third_party_cookies", self.third_party_cookies),
            ("link_clicks", self.link_clicks),
        ] {
            if !is_on {
                let message = "is ignored with storefront.mode = \"collector\", where Adobe's own instance of the Web SDK has \
                               it on; set it to true, or use mode = \"standalone\"";
                reader.warn(&format!("storefront.{key}"), message);
            }
        }
    }
}

/// Accepts a path of the shop's own host, or an address. Plain HTTP is accepted for this machine only.
fn parse_location(text: &str) -> Result<String, InvalidValue> {
    let unfit = || {
        InvalidValue::new(
            "is not an address of files",
            "a path such as \"/storefront/\", or an address such as \"https://cdn.example.com/storefront/\"",
        )
    };
    let is_path = text.starts_with('/') && !text.starts_with("//");
    let base = Url::parse("https://shop.invalid/").map_err(|_| unfit())?;
    let url = if is_path {
        base.join(text)
    } else {
        Url::parse(text)
    };
    let url = url.map_err(|_| unfit())?;
    let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    let is_plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/:.-_~[]".contains(&b));
    if !is_secure || !is_plain || !url.username().is_empty() {
        return Err(unfit());
    }
    let end = if text.ends_with('/') { "" } else { "/" };
    Ok(format!("{text}{end}"))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Accepts what the Web SDK accepts: a host name alone, because it always uses https and the usual port.
fn parse_domain(text: &str) -> Result<String, InvalidValue> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    match text.contains('.') && text.split('.').all(is_label) {
        true => Ok(text.to_owned()),
        false => Err(InvalidValue::new(
            "is not a host name",
            "a name in lower case without scheme and port, such as \"edge.adobedc.net\" or \"data.example.com\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_at_a_path_or_a_secure_address() {
        assert_eq!(parse_location("/storefront").unwrap(), "/storefront/");
        for fits in [
            "/",
            "/media/x/",
            "https://cdn.example.com/a/",
            "http://127.0.0.1:9187/storefront/",
        ] {
            assert_eq!(parse_location(fits).unwrap(), fits);
        }
        for wrong in [
            "storefront/",
            "//cdn.example.com/",
            "http://cdn.example.com/",
            "https://user@cdn.example.com/",
            "/a\"b/",
            "/a b/",
            "/a?b/",
            "javascript:alert(1)",
        ] {
            assert!(parse_location(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_edge_domain_has_neither_scheme_nor_port() {
        assert!(parse_domain("edge.adobedc.net").is_ok() && parse_domain("data-1.example.com").is_ok());
        for wrong in [
            "https://edge.adobedc.net",
            "edge.adobedc.net:443",
            "Edge.adobedc.net",
            "edge",
            "a..b",
            "a/b.c",
        ] {
            assert!(parse_domain(wrong).is_err(), "{wrong}");
        }
    }
}
