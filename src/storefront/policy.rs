//! The entries that a page's content security policy needs: the line of the header, and Commerce's `csp_whitelist.xml`.

use std::fmt::Write as _;

use crate::config::{Config, StorefrontMode};

/// The hosts that a page needs, beside its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyHosts {
    /// The source of scripts: `'self'` or an origin.
    pub script: String,
    /// The hosts of requests.
    pub connect: Vec<String>,
}

impl PolicyHosts {
    /// Returns the hosts for a configuration.
    pub fn new(config: &Config) -> Self {
        let settings = &config.storefront;
        let mut connect = vec![format!("https://{}", settings.edge_domain)];
        // The collector's own instance cannot be configured.
        let is_adobes = settings.mode == StorefrontMode::Collector && config.web_sdk.name.is_none();
        if settings.third_party_cookies || is_adobes {
            connect.push("https://adobedc.demdex.net".to_owned());
        }
        if settings.forward_to_commerce || settings.mode == StorefrontMode::Contexts {
            connect.push("https://commerce.adobedc.net".to_owned());
        }
        Self {
            script: origin(&settings.url).unwrap_or_else(|| "'self'".to_owned()),
            connect,
        }
    }

    /// Returns the directives to add to the header `Content-Security-Policy`.
    pub fn header(&self) -> String {
        format!(
            "script-src {}; connect-src {}",
            self.script,
            self.connect.join(" ")
        )
    }

    /// Returns the file `etc/csp_whitelist.xml` for a Commerce module or theme of the shop's own.
    pub fn whitelist(&self) -> String {
        let mut text = String::from(
            "<?xml version=\"1.0\"?>\n<csp_whitelist xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n    \
             xsi:noNamespaceSchemaLocation=\"urn:magento:module:Magento_Csp:etc/csp_whitelist.xsd\">\n  <policies>\n",
        );
        // Commerce allows the shop's own host by itself.
        let scripts: Vec<&String> = Some(&self.script)
            .filter(|host| *host != "'self'")
            .into_iter()
            .collect();
        for (id, hosts) in [
            ("script-src", scripts),
            ("connect-src", self.connect.iter().collect()),
        ] {
            if hosts.is_empty() {
                continue;
            }
            let _ = writeln!(text, "    <policy id=\"{id}\">\n      <values>");
            for (at, host) in hosts.iter().enumerate() {
                let _ = writeln!(
                    text,
                    "        <value id=\"orderfeed-{at}\" type=\"host\">{host}</value>"
                );
            }
            text.push_str("      </values>\n    </policy>\n");
        }
        text.push_str("  </policies>\n</csp_whitelist>\n");
        text
    }
}

/// Returns scheme and host of an address; `None` for a path.
pub(crate) fn origin(location: &str) -> Option<String> {
    let url = url::Url::parse(location).ok()?;
    Some(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_edge_is_needed_by_default() {
        let mut config = Config::default();
        let hosts = PolicyHosts::new(&config);
        assert_eq!(
            hosts.header(),
            "script-src 'self'; connect-src https://edge.adobedc.net"
        );
        assert!(
            !hosts.whitelist().contains("script-src")
                && hosts.whitelist().contains("https://edge.adobedc.net<")
        );
        config.storefront.url = "https://cdn.example.com/x/".to_owned();
        config.storefront.third_party_cookies = true;
        config.storefront.forward_to_commerce = true;
        assert_eq!(
            PolicyHosts::new(&config).header(),
            "script-src https://cdn.example.com; connect-src https://edge.adobedc.net https://adobedc.demdex.net \
             https://commerce.adobedc.net"
        );
        config = Config::default();
        config.storefront.mode = StorefrontMode::Collector;
        assert!(PolicyHosts::new(&config).header().contains("demdex"));
    }
}
