//! The lines that an operator adds to the pages of a website.

use crate::storefront::plan::Plan;

/// Returns the snippet: a comment and one script element. With `integrity` the browser runs exactly this build.
pub(crate) fn snippet(plan: &Plan, source: &str, integrity: Option<&str>) -> String {
    let website = &plan.website;
    let integrity = integrity.map_or_else(String::new, |hash| format!(" integrity=\"{hash}\""));
    let views: Vec<&str> = plan.store_views.iter().map(|view| view.code.as_str()).collect();
    let choice = match views.as_slice() {
        [_] => String::new(),
        several => format!(
            "\n     The store view is found by the page's address; data-store-view=\"CODE\" on the script overrides it: {}.",
            several.join(", ")
        ),
    };
    format!(
        "<!-- Storefront events of website {website}. In the head of every page, before all other scripts.{choice} -->\n\
         <script src=\"{source}\"{integrity} crossorigin=\"anonymous\"></script>\n"
    )
}
