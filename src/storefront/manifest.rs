//! `manifest.json`: what was built from what, so that deployed files can be compared with a build.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::storefront::digest;
use crate::storefront::files::BundleFile;
use crate::storefront::packages::{ALLOY, COLLECTOR, EVENTS_SDK, Pin};
use crate::storefront::plan::Plan;

/// The entry of a website.
#[derive(Debug, Serialize)]
pub(crate) struct PublishedWebsite {
    mode: &'static str,
    consent: &'static str,
    organization_id: String,
    /// The datastream of the context. A Web SDK of the site's own uses its own.
    datastream_id: String,
    web_sdk_name: Option<String>,
    loader: String,
    pub(crate) bundle: Option<String>,
    store_views: Vec<String>,
    warnings: Vec<String>,
}

impl PublishedWebsite {
    pub(crate) fn new(plan: &Plan, loader: String, bundle: Option<String>) -> Self {
        Self {
            mode: plan.mode,
            consent: plan.consent,
            organization_id: plan.organization.clone(),
            datastream_id: plan.aep["datastreamId"].as_str().unwrap_or_default().to_owned(),
            web_sdk_name: plan.site_sdk.clone(),
            loader,
            bundle,
            store_views: plan.store_views.iter().map(|view| view.code.clone()).collect(),
            warnings: plan.warnings.clone(),
        }
    }
}

#[derive(Serialize)]
struct Manifest<'a> {
    orderfeed: &'static str,
    packages: BTreeMap<&'static str, PublishedPackage>,
    websites: &'a BTreeMap<&'a str, PublishedWebsite>,
    files: BTreeMap<&'a str, PublishedFile>,
}

#[derive(Serialize)]
struct PublishedPackage {
    version: &'static str,
    licence: &'static str,
    sha512: &'static str,
}

#[derive(Serialize)]
struct PublishedFile {
    bytes: usize,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrity: Option<String>,
}

/// Formats the manifest of these files.
pub(crate) fn manifest(
    files: &BTreeMap<String, BundleFile>,
    websites: &BTreeMap<&str, PublishedWebsite>,
) -> Result<String, serde_json::Error> {
    let package = |pin: &'static Pin| {
        let (version, licence, sha512) = (pin.version, pin.licence, pin.sha512);
        (
            pin.package,
            PublishedPackage {
                version,
                licence,
                sha512,
            },
        )
    };
    let files = files.iter().map(|(path, file)| {
        let is_script = path.ends_with(".js");
        let entry = PublishedFile {
            bytes: file.content.len(),
            sha256: digest::sha256(&file.content),
            integrity: is_script.then(|| digest::integrity(&file.content)),
        };
        (path.as_str(), entry)
    });
    let manifest = Manifest {
        orderfeed: env!("CARGO_PKG_VERSION"),
        packages: [&ALLOY, &EVENTS_SDK, &COLLECTOR]
            .into_iter()
            .map(package)
            .collect(),
        websites,
        files: files.collect(),
    };
    Ok(serde_json::to_string_pretty(&manifest)? + "\n")
}
