//! The checks of a page of the shop: is the script there, once, first, allowed by the content security policy, and is there
//! another collector or Web SDK? They read the answer to one request; no script runs.

mod html;
mod policy;

use serde::Serialize;
use url::Url;

use crate::config::{Config, StorefrontMode};
use crate::storefront::digest;
use crate::storefront::files::Bundle;
use crate::storefront::page::html::{Element, elements};
use crate::storefront::page::policy::Policy;
use crate::storefront::policy::PolicyHosts;

/// The answer of a web server for a page.
#[derive(Clone, Debug, Default)]
pub struct PageAnswer {
    pub url: String,
    /// The values of the headers `Content-Security-Policy`.
    pub policies: Vec<String>,
    pub html: String,
}

/// One finding about a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageFinding {
    /// True if events are lost, sent twice, or sent elsewhere.
    pub is_problem: bool,
    pub message: String,
}

fn fine(message: impl Into<String>) -> PageFinding {
    PageFinding {
        is_problem: false,
        message: message.into(),
    }
}

fn problem(message: impl Into<String>) -> PageFinding {
    PageFinding {
        is_problem: true,
        message: message.into(),
    }
}

/// Returns the findings about a page. `bundle` is the build that should be deployed, if it is known.
pub fn findings(config: &Config, bundle: Option<&Bundle>, page: &PageAnswer) -> Vec<PageFinding> {
    let Ok(base) = Url::parse(&page.url) else {
        return vec![problem(format!("{} is not an address", page.url))];
    };
    let elements = elements(&page.html);
    let scripts: Vec<&Element> = elements.iter().filter(|one| one.name == "script").collect();
    let loaders: Vec<&Element> = scripts
        .iter()
        .copied()
        .filter(|one| is_loader(config, &base, one))
        .collect();
    let mut found = presence(config, &scripts, &loaders);
    if let Some(loader) = loaders.first() {
        found.extend(version(config, bundle, &base, loader));
        found.extend(permissions(config, page, &elements, &base, loader));
    }
    found.extend(duplicates(config, &scripts, &page.html));
    found
}

/// Returns the address of an element's script.
fn source(base: &Url, element: &Element) -> Option<Url> {
    base.join(element.attribute("src")?).ok()
}

/// Returns true for `…/WEBSITE/storefront.js` or `…/WEBSITE/storefront.HASH.js` at the configured address.
fn is_loader(config: &Config, base: &Url, element: &Element) -> bool {
    website_of(config, base, element).is_some()
}

fn website_of<'a>(config: &'a Config, base: &Url, element: &Element) -> Option<&'a str> {
    let files = base.join(&config.storefront.url).ok()?;
    let path = source(base, element)?;
    let rest = path.as_str().strip_prefix(files.as_str())?;
    let (code, file) = rest.split_once('/')?;
    let is_script = file.starts_with("storefront.") && file.ends_with(".js");
    let known = config.websites.get_key_value(code).filter(|_| is_script);
    known.map(|(code, _)| code.as_str())
}

/// Returns true for a script of Adobe's collector, or of the SDK that it needs.
fn is_collector(source: &str) -> bool {
    [
        "storefront-events-sdk",
        "storefront-event-collector",
        "acds-events.adobe.io",
    ]
    .iter()
    .any(|name| source.contains(name))
}

/// The script's number and place.
fn presence(config: &Config, scripts: &[&Element], loaders: &[&Element]) -> Vec<PageFinding> {
    let Some(loader) = loaders.first() else {
        let url = &config.storefront.url;
        return vec![problem(format!(
            "the page has no script below {url}: add the lines of `orderfeed storefront snippet --website CODE` to its head"
        ))];
    };
    let mut found = vec![fine(format!(
        "the script is there: {}",
        loader.attribute("src").unwrap_or_default()
    ))];
    if loaders.len() > 1 {
        found.push(fine(format!(
            "the script is there {} times; it runs once",
            loaders.len()
        )));
    }
    if loader.attribute("async").is_some() || loader.attribute("defer").is_some() {
        found.push(problem(
            "the script has the attribute async or defer: functions of window.orderfeedStorefront do not exist when other scripts run",
        ));
    }
    if !loader.in_head {
        found.push(problem("the script is not in the head of the page"));
    }
    let before: Vec<&str> = scripts
        .iter()
        .take_while(|one| one.position < loader.position)
        .filter_map(|one| one.attribute("src"))
        .collect();
    if let Some(collector) = before.iter().find(|source| is_collector(source)) {
        found.push(problem(format!(
            "{collector} comes before it: Adobe's collector finds no settings then, so the script has to be the first"
        )));
    } else if !before.is_empty() {
        found.push(fine(format!(
            "{} scripts come before it; window.orderfeedStorefront does not exist while they run",
            before.len()
        )));
    }
    found
}

/// Compares the script with the build.
fn version(config: &Config, bundle: Option<&Bundle>, base: &Url, loader: &Element) -> Option<PageFinding> {
    let code = website_of(config, base, loader)?;
    let files = base.join(&config.storefront.url).ok()?;
    let path = source(base, loader)?
        .as_str()
        .strip_prefix(files.as_str())?
        .to_owned();
    let Some(bundle) = bundle else {
        return Some(fine(format!(
            "it is of website {code}; the build was not compared"
        )));
    };
    let is_current = bundle.files.contains_key(&path);
    Some(match (is_current, loader.attribute("integrity")) {
        (false, _) => problem(format!(
            "it is of website {code}, and of another build than the configuration now gives: publish the files and the snippet again"
        )),
        (true, Some(hash)) if hash != digest::integrity(&bundle.files[&path].content) => problem(
            "its attribute integrity is not the hash of the file, so browsers refuse it: add the snippet again",
        ),
        (true, _) => fine(format!(
            "it is of website {code}, and of the build that the configuration gives"
        )),
    })
}

/// Compares the script and its requests with the content security policies of the page.
fn permissions(
    config: &Config,
    page: &PageAnswer,
    elements: &[Element],
    base: &Url,
    loader: &Element,
) -> Vec<PageFinding> {
    let in_page = elements
        .iter()
        .filter(|one| one.name == "meta" && one.is("http-equiv", "content-security-policy"))
        .filter_map(|one| one.attribute("content"));
    let policies: Vec<Policy> = page
        .policies
        .iter()
        // One header may hold several policies.
        .flat_map(|header| header.split(','))
        .chain(in_page)
        .map(Policy::parse)
        .collect();
    if policies.is_empty() {
        return vec![fine("the page has no content security policy that is enforced")];
    }
    let script = source(base, loader);
    let has_nonce = loader.attribute("nonce").is_some();
    let allows_script = |policy: &Policy| {
        script
            .as_ref()
            .is_some_and(|url| policy.allows_script(base, url, has_nonce))
    };
    let mut found = Vec::new();
    if !policies.iter().all(allows_script) {
        let needed = PolicyHosts::new(config).script;
        found.push(problem(format!(
            "the content security policy forbids the script: add {needed} to script-src"
        )));
    }
    for host in PolicyHosts::new(config).connect {
        let Ok(url) = Url::parse(&host) else { continue };
        let is_allowed = policies.iter().all(|policy| policy.allows_connection(base, &url));
        // The Web SDK repeats a request to demdex.net that failed at the edge.
        let is_needed = !host.ends_with("demdex.net");
        match (is_allowed, is_needed) {
            (true, _) => {}
            (false, true) => found.push(problem(format!(
                "the content security policy forbids requests to {host}: add it to connect-src"
            ))),
            (false, false) => found.push(fine(format!(
                "the content security policy forbids requests to {host}; the Web SDK uses the edge instead"
            ))),
        }
    }
    if found.iter().all(|finding| !finding.is_problem) {
        found.push(fine(
            "the content security policy allows the script and its requests",
        ));
    }
    found
}

/// Other collectors and Web SDKs.
fn duplicates(config: &Config, scripts: &[&Element], html: &str) -> Vec<PageFinding> {
    let mut found = Vec::new();
    let sources = || scripts.iter().filter_map(|one| one.attribute("src"));
    let other = sources().find(|source| is_collector(source));
    let is_known = other.is_some() || html.contains("magentoStorefrontEvents");
    let is_contexts = config.storefront.mode == StorefrontMode::Contexts;
    match (is_known, is_contexts) {
        (true, false) => found.push(problem(format!(
            "the page also loads Adobe's own collector ({}): two would send every event twice, so the script loads none, and in the \
             mode \"standalone\" no events are sent; set storefront.mode = \"contexts\", or remove the other one",
            other.unwrap_or("magentoStorefrontEvents")
        ))),
        (false, true) => found.push(problem(
            "storefront.mode is \"contexts\", but the page does not seem to load Adobe's collector: no events are sent",
        )),
        _ => {}
    }
    let tags = sources().find(|source| source.contains("assets.adobedtm.com"));
    if let Some(tags) = tags {
        found.push(fine(format!(
            "the page loads Adobe Tags ({tags}): if these collect commerce events as well, they count twice"
        )));
    }
    let has_sdk = html.contains("__alloyNS") || sources().any(|source| source.contains("alloy"));
    match (&config.web_sdk.name, has_sdk) {
        (None, true) => found.push(fine(
            "the page seems to have a Web SDK of its own: name it in web_sdk.name to use it for storefront events",
        )),
        (Some(name), false) => found.push(fine(format!(
            "no Web SDK of the page's own was recognized; window.{name} has to exist once the page has loaded"
        ))),
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Website;

    fn config() -> Config {
        let mut config = Config::default();
        let datastream = "ebebf826-a01f-4458-8cec-ef61de241c93".parse().unwrap();
        config
            .websites
            .insert("base".to_owned(), Website::sending_to(datastream));
        config
    }

    fn problems(config: &Config, html: &str, policy: &str) -> Vec<String> {
        let page = PageAnswer {
            url: "https://shop.example.com/p?q".to_owned(),
            policies: Some(policy)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .into_iter()
                .collect(),
            html: html.to_owned(),
        };
        let found = findings(config, None, &page).into_iter();
        found
            .filter(|finding| finding.is_problem)
            .map(|finding| finding.message)
            .collect()
    }

    const GOOD: &str =
        "<head><meta charset=utf-8><script src='/storefront/base/storefront.js'></script></head>";

    #[test]
    fn a_page_with_the_script_first_in_its_head_is_fine() {
        assert_eq!(problems(&config(), GOOD, ""), Vec::<String>::new());
        let strict = "default-src 'self'; connect-src 'self' https://edge.adobedc.net";
        assert_eq!(problems(&config(), GOOD, strict), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_named() {
        let other = "<head><script src=/a.js></script></head><body><script src=/storefront/base/storefront.1.js async></script>";
        let tests = [
            ("<head></head>", "", "has no script below /storefront/"),
            (
                "<!-- <script src='/storefront/base/storefront.js'></script> -->",
                "",
                "has no script",
            ),
            (
                "<script src='/storefront/unknown/storefront.js'></script>",
                "",
                "has no script",
            ),
            (other, "", "async"),
            (other, "", "not in the head"),
            (
                "<head><script src=/storefront-events-sdk.js></script><script src=/storefront/base/storefront.js></script></head>",
                "",
                "/storefront-events-sdk.js comes before it",
            ),
            (
                GOOD,
                "script-src https://cdn.example.com",
                "forbids the script: add 'self' to script-src",
            ),
            (
                GOOD,
                "default-src 'self'",
                "forbids requests to https://edge.adobedc.net",
            ),
            (
                &format!(
                    "{GOOD}<script src=https://unpkg.com/@adobe/magento-storefront-event-collector></script>"
                ),
                "",
                "twice",
            ),
        ];
        for (html, policy, expected) in tests {
            let found = problems(&config(), html, policy).join("\n");
            assert!(found.contains(expected), "{expected}: {found}");
        }
        let mut contexts = config();
        contexts.storefront.mode = StorefrontMode::Contexts;
        assert!(
            problems(&contexts, GOOD, "")
                .join("")
                .contains("does not seem to load")
        );
    }

    #[test]
    fn a_policy_within_the_page_counts() {
        let html = GOOD.replace(
            "<meta charset=utf-8>",
            "<meta http-equiv='Content-Security-Policy' content=\"connect-src 'self'\">",
        );
        assert!(problems(&config(), &html, "").join("").contains("connect-src"));
    }
}
