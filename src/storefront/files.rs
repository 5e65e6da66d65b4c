//! The files of a bundle.

use std::collections::BTreeMap;

use crate::storefront::digest;

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    pub content: Vec<u8>,
    pub media_type: &'static str,
    /// True if the name holds a hash of the content, so that caches may keep the file for good.
    pub immutable: bool,
}

impl BundleFile {
    /// Returns the file's `ETag`.
    pub fn entity_tag(&self) -> String {
        format!("\"{}\"", digest::short(&self.content))
    }
}

/// The files to publish at `storefront.url`, by their relative path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    pub files: BTreeMap<String, BundleFile>,
    /// Findings that an operator should read.
    pub warnings: Vec<String>,
}

pub(crate) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

impl Bundle {
    pub(crate) fn add(&mut self, path: String, media_type: &'static str, content: impl Into<Vec<u8>>) {
        let content = content.into();
        self.files.insert(
            path,
            BundleFile {
                content,
                media_type,
                immutable: false,
            },
        );
    }

    /// Adds a script under a name with its hash, and returns its path.
    pub(crate) fn add_hashed(&mut self, directory: &str, name: &str, content: &str) -> String {
        let path = format!("{directory}/{name}.{}.js", digest::short(content.as_bytes()));
        let file = BundleFile {
            content: content.as_bytes().to_vec(),
            media_type: SCRIPT,
            immutable: true,
        };
        self.files.insert(path.clone(), file);
        path
    }

    /// Returns the snippet of a website. `latest` follows later builds, and has no hash that a browser could check.
    pub fn snippet(&self, website: &str, latest: bool) -> Option<&str> {
        let name = if latest {
            "snippet-latest.html"
        } else {
            "snippet.html"
        };
        let file = self.files.get(&format!("{website}/{name}"))?;
        std::str::from_utf8(&file.content).ok()
    }
}
