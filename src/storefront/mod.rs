//! The storefront's files: Adobe's Web SDK and event collector, deployed for a shop's pages.
//!
//! ```text
//! configuration ─┐
//! store views ───┼─▶ plan (one per website) ─▶ loader ─┐
//! packages ──────┴─▶ bundle ───────────────────────────┼─▶ Bundle: files by path
//!                    policy, snippet, manifest, notices ┘
//! ```
//!
//! Building is pure: equal input gives equal bytes, so that a build can be compared with what is deployed. Names of files
//! that may be cached for good hold a hash of their content. The one file that a page names by a fixed name is the loader
//! without a hash.
//!
//! Adobe's files are used unchanged, but never as plain scripts: on a page with RequireJS they would register modules instead
//! of setting globals, and RequireJS may arrive at any time before they run. The bundle wraps each in a function
//! ([`script`]). The unwrapped files are published as well, for pages that load them by themselves.
//!
//! | module | content |
//! |---|---|
//! | [`packages`] | Adobe's npm packages: versions, hashes, the script in each |
//! | `views` | store views: read from the shop, or given |
//! | `plan` | the decisions about a website, which the loader gets as its settings |
//! | `script` | loader and bundle |
//! | [`policy`] | content security policy |
//! | `snippet`, `manifest`, `notices` | the other files |
//! | [`page`] | what a page of the shop would do |
//! | `files`, `error`, `digest` | the files and their hashes; the reasons for which there are none |

mod digest;
mod error;
mod files;
mod manifest;
mod notices;
pub mod packages;
pub mod page;
mod plan;
pub mod policy;
mod script;
mod snippet;
#[cfg(test)]
mod tests;
mod views;

use std::collections::BTreeMap;

use crate::commerce::stores::ShopStoreView;
use crate::config::{Config, Website};
pub use crate::storefront::error::StorefrontError;
pub use crate::storefront::files::{Bundle, BundleFile};
use crate::storefront::files::{SCRIPT, TEXT};
use crate::storefront::manifest::PublishedWebsite;
use crate::storefront::packages::{ALLOY, COLLECTOR, EVENTS_SDK, Packages};
use crate::storefront::plan::Plan;
use crate::storefront::policy::PolicyHosts;

/// The directory of files that all websites share. No website's code has a hyphen.
const SHARED: &str = "adobe-files";

/// Returns the codes of the websites whose storefront events are on.
pub fn websites_on(config: &Config) -> impl Iterator<Item = (&String, &Website)> {
    config
        .websites
        .iter()
        .filter(|(_, website)| website.storefront().is_on())
}

/// Builds the files of all websites whose storefront events are on, or of one website. `shop` holds the shop's store views,
/// if it was read. Among several websites, an incomplete one is left out with a warning, because storefront events are on by
/// default, also for websites whose pages do not load these files.
///
/// # Errors
/// The one website is off or incomplete, or none can be built.
pub fn build(
    config: &Config,
    shop: Option<&[ShopStoreView]>,
    packages: &Packages,
    only: Option<&str>,
) -> Result<Bundle, StorefrontError> {
    // A source that cannot list store views has none.
    let shop = shop.filter(|views| !views.is_empty());
    let chosen: Vec<(&String, &Website)> = match only {
        Some(code) => config.websites.get_key_value(code).into_iter().collect(),
        None => websites_on(config).collect(),
    };
    let mut bundle = Bundle::default();
    let (mut published, mut refused) = (BTreeMap::new(), Vec::new());
    for (code, website) in chosen {
        match Plan::new(config, code, website, shop) {
            Ok(plan) => {
                bundle.warnings.extend(plan.warnings.iter().cloned());
                published.insert(code.as_str(), add_website(&mut bundle, config, packages, &plan)?);
            }
            Err(error) => refused.push(error),
        }
    }
    if published.is_empty() {
        return Err(refused.into_iter().next().unwrap_or(StorefrontError::NoneOn));
    }
    let left_out = refused
        .iter()
        .map(|error| format!("{error}; its files are left out"));
    bundle.warnings.extend(left_out);
    if published.values().any(|website| website.bundle.is_some()) {
        for (pin, text) in [
            (&ALLOY, &packages.alloy),
            (&EVENTS_SDK, &packages.events_sdk),
            (&COLLECTOR, &packages.collector),
        ] {
            bundle.add_hashed(SHARED, pin.script, text);
        }
        bundle.add("THIRD-PARTY-NOTICES".to_owned(), TEXT, notices::notices());
    }
    let manifest = manifest::manifest(&bundle.files, &published)?;
    bundle.add("manifest.json".to_owned(), "application/json", manifest);
    Ok(bundle)
}

/// Adds the files of one website.
fn add_website(
    bundle: &mut Bundle,
    config: &Config,
    packages: &Packages,
    plan: &Plan,
) -> Result<PublishedWebsite, StorefrontError> {
    let code = &plan.website;
    let script = plan.loads_files().then(|| {
        let text = script::bundle(packages, plan.own_instance);
        let path = bundle.add_hashed(SHARED, script::bundle_name(plan.own_instance), &text);
        (path, digest::integrity(text.as_bytes()))
    });
    // Relative to the loader, so that all files can be moved to another address together.
    let relative = script
        .as_ref()
        .map(|(path, integrity)| (format!("../{path}"), integrity));
    let location = format!("{}{code}/storefront.js", config.storefront.url);
    let settings = relative
        .as_ref()
        .map(|(path, integrity)| (path.as_str(), integrity.as_str()));
    let loader = script::loader(plan, settings, &location)?;
    let hashed = bundle.add_hashed(code, "storefront", &loader);
    bundle.add(format!("{code}/storefront.js"), SCRIPT, loader.as_str());
    let base = &config.storefront.url;
    let html = "text/html; charset=utf-8";
    let integrity = digest::integrity(loader.as_bytes());
    let pinned = snippet::snippet(plan, &format!("{base}{hashed}"), Some(&integrity));
    bundle.add(format!("{code}/snippet.html"), html, pinned);
    let latest = snippet::snippet(plan, &location, None);
    bundle.add(format!("{code}/snippet-latest.html"), html, latest);
    let hosts = PolicyHosts::new(config);
    bundle.add(
        format!("{code}/content-security-policy.txt"),
        TEXT,
        format!("{}\n", hosts.header()),
    );
    bundle.add(
        format!("{code}/csp_whitelist.xml"),
        "application/xml",
        hosts.whitelist(),
    );
    Ok(PublishedWebsite::new(plan, hashed, script.map(|(path, _)| path)))
}
