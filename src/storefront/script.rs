//! The scripts that pages load: the loader of a website, and the bundle of Adobe's files.

use serde_json::Value;

use crate::config::StorefrontMode;
use crate::storefront::packages::{ALLOY, COLLECTOR, EVENTS_SDK, Packages, Pin};
use crate::storefront::plan::{INSTANCE, Plan};

const LOADER: &str = include_str!("assets/loader.js");
const HELPERS: &str = include_str!("assets/helpers.js");

/// Adobe's files in the order in which they run, unchanged, each in a function of its own.
///
/// Its parameters hide `define`, `exports` and `module`: on a page with RequireJS the files would register modules that
/// nothing requires, instead of setting the global names that the loader uses.
pub(crate) fn bundle(packages: &Packages, has_alloy: bool) -> String {
    let mut text =
        String::from("/* Adobe's files, unchanged, each in a function; see THIRD-PARTY-NOTICES. */\n");
    if has_alloy {
        // The file creates every instance that the page has named, also one that belongs to another copy of the Web SDK.
        text.push_str("(function (names) {\nwindow.__alloyNS = [\"");
        text.push_str(INSTANCE);
        text.push_str("\"];\ntry {\n");
        text.push_str(&wrapped(&ALLOY, &packages.alloy));
        text.push_str("} finally {\nwindow.__alloyNS = names;\n}\n})(window.__alloyNS);\n");
    }
    text.push_str(&wrapped(&EVENTS_SDK, &packages.events_sdk));
    text.push_str(&wrapped(&COLLECTOR, &packages.collector));
    text
}

/// Returns the name of the bundle without hash and ending.
pub(crate) fn bundle_name(has_alloy: bool) -> &'static str {
    match has_alloy {
        true => StorefrontMode::Standalone.as_str(),
        false => StorefrontMode::Collector.as_str(),
    }
}

fn wrapped(pin: &Pin, script: &str) -> String {
    // The line break ends a comment on the last line of the file.
    format!(
        "/* {} {} ({}) */\n(function (define, exports, module) {{\n{script}\n}}).call(window);\n",
        pin.package, pin.version, pin.licence
    )
}

/// The file of a website: its settings and the functions for pages.
pub(crate) fn loader(
    plan: &Plan,
    bundle: Option<(&str, &str)>,
    location: &str,
) -> Result<String, serde_json::Error> {
    let mut settings = serde_json::to_value(plan)?;
    settings["loader"] = location.into();
    if let Some((file, integrity)) = bundle {
        settings["bundle"] = serde_json::json!({ "file": file, "integrity": integrity });
    }
    Ok(LOADER
        .replace("  /*HELPERS*/\n", HELPERS)
        .replace("/*SETTINGS*/", &as_script(&settings)))
}

/// Formats JSON so that it can be part of a script, also of one within HTML.
fn as_script(value: &Value) -> String {
    value
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_unchanged_and_their_last_comment_ends() {
        let packages = Packages::made_up();
        let text = bundle(&packages, true);
        for script in [&packages.alloy, &packages.events_sdk, &packages.collector] {
            assert!(text.contains(&format!("{{\n{script}\n}})")), "{text}");
        }
        assert!(!bundle(&packages, false).contains("alloy"));
    }

    #[test]
    fn settings_cannot_end_the_script() {
        let text = as_script(&serde_json::json!({ "name": "</script>\u{2028}<!--" }));
        assert_eq!(text, r#"{"name":"\u003c/script\u003e\u2028\u003c!--"}"#);
    }
}
