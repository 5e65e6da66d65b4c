//! `/about`: version, licences, documentation.

use askama::Template;

use crate::web::parts::Stamp;
use crate::web::{Frame, rendered};
use orderfeed_model::clock::UtcMillis;

/// The running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    pub sqlite: &'static str,
    pub started_at: UtcMillis,
    pub store: String,
    /// Path of the configuration file; empty if there is none.
    pub config: String,
}

/// One page of the documentation.
struct Document {
    file: &'static str,
    content: &'static str,
}

/// The pages that an operator needs; `docs/README.md` lists all of them.
const DOCUMENTS: [(&str, &str); 8] = [
    (
        "OPERATIONS.md",
        "what to do about a state, an alert, a log line or an exit code",
    ),
    ("EXPLAIN.md", "reading an order's timeline and failed events"),
    (
        "FIRST_SYNC.md",
        "how a website's history reaches the edge, and what limits it",
    ),
    ("DELIVERY.md", "the effect of each answer of the edge"),
    ("CONFIGURATION.md", "every setting: type, range, default, meaning"),
    ("EVENTS.md", "what is sent, field by field"),
    ("PRIVACY.md", "what is sent and kept about a person"),
    ("GLOSSARY.md", "the terms"),
];

#[derive(Template)]
#[template(path = "about.html")]
struct AboutTemplate<'a> {
    frame: &'a Frame,
    about: &'a About,
    version: &'static str,
    license: &'static str,
    mit: &'static str,
    apache: &'static str,
}

/// Renders the page.
pub fn about_page(frame: &Frame, about: &About) -> String {
    rendered(AboutTemplate {
        frame,
        about,
        version: env!("CARGO_PKG_VERSION"),
        license: env!("CARGO_PKG_LICENSE"),
        mit: include_str!("../../LICENSE-MIT"),
        apache: include_str!("../../LICENSE-APACHE"),
    })
}

impl AboutTemplate<'_> {
    fn started(&self) -> Stamp {
        Stamp::second(self.about.started_at)
    }

    fn documents(&self) -> impl Iterator<Item = Document> {
        DOCUMENTS
            .into_iter()
            .map(|(file, content)| Document { file, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::frame;

    #[test]
    fn the_page_names_version_licences_and_documentation() {
        let about = About {
            sqlite: "3.50.0",
            started_at: UtcMillis(1_000),
            store: "/var/lib/orderfeed/orderfeed.db".to_owned(),
            config: "/etc/orderfeed/orderfeed.toml".to_owned(),
        };
        let page = about_page(&frame("/about"), &about);
        // The version changes with every release, the licences are files of their own.
        let (page, _) = page.split_once("<h2 id=\"licences\">").unwrap();
        insta::assert_snapshot!(page.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }

    #[test]
    fn every_document_exists() {
        for (file, _) in DOCUMENTS {
            assert!(std::path::Path::new("docs").join(file).exists(), "docs/{file}");
        }
    }
}
