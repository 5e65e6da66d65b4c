//! Adobe's npm packages, as tarballs: which versions, their hashes, and the file that is used of each.
//!
//! They are inputs: no version of them is part of this program. A tarball that is missing or has another hash is an error
//! that names the command to get it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::config::{Config, StorefrontMode};
use crate::storefront::digest;

/// A package of Adobe's, pinned.
#[derive(Debug, PartialEq, Eq)]
pub struct Pin {
    pub package: &'static str,
    pub version: &'static str,
    pub licence: &'static str,
    /// SHA-512 of the tarball in base64, as npm states it.
    pub sha512: &'static str,
    /// The name of the tarball that `npm pack` writes.
    pub tarball: &'static str,
    /// The path of the script in the tarball.
    file: &'static str,
    /// The name of the published script, without hash and ending.
    pub(crate) script: &'static str,
}

/// The standalone Web SDK.
pub const ALLOY: Pin = Pin {
    package: "@adobe/alloy",
    version: "2.33.1",
    licence: "Apache-2.0",
    sha512: "yg+HD3Oslhrmt3stSwtKc22qbwjR4ehFzXfc8RCEwultr41y85S2dSsojvPt2Mife0IZ4Wp/1EexGp1f6TbWDg==",
    tarball: "adobe-alloy-2.33.1.tgz",
    file: "package/dist/alloy.min.js",
    script: "alloy-2.33.1",
};

/// The data layer's interface for pages.
pub const EVENTS_SDK: Pin = Pin {
    package: "@adobe/magento-storefront-events-sdk",
    version: "1.18.0",
    licence: "MIT",
    sha512: "3DNlHe0yiTLNpdiD5BCfBPjy8HUovauQ5ER4KxzpoHwbZSxeiT/pKxpZAnfefpMLOECfuLet9a4A1heLnb05Cw==",
    tarball: "adobe-magento-storefront-events-sdk-1.18.0.tgz",
    file: "package/dist/index.js",
    script: "storefront-events-sdk-1.18.0",
};

/// The collector, which turns published events into XDM.
pub const COLLECTOR: Pin = Pin {
    package: "@adobe/magento-storefront-event-collector",
    version: "1.18.0",
    licence: "MIT",
    sha512: "oG+0AmCg6uYGKZZ1uxNYg+L6Vb4EvXeEfvztpfB+UFQ6mUN8kuFNJXoy978fuggzn7taLodVuMfJvkQuN1fvNg==",
    tarball: "adobe-magento-storefront-event-collector-1.18.0.tgz",
    file: "package/dist/index.js",
    script: "storefront-event-collector-1.18.0",
};

/// An error of the directory of packages. Each message ends with the command that fixes it.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error("{} is missing; get Adobe's packages with: {}", .path.display(), command(.path))]
    Missing { path: PathBuf },
    #[error("{} cannot be read: {cause}", .path.display())]
    Unreadable { path: PathBuf, cause: std::io::Error },
    #[error(
        "{} is not {package} {version}: its SHA-512 is {found}; delete it, then get Adobe's packages with: {}",
        .path.display(), command(.path)
    )]
    Altered {
        path: PathBuf,
        package: &'static str,
        version: &'static str,
        found: String,
    },
}

/// Returns the command that fetches all packages into the directory of this file.
fn command(tarball: &Path) -> String {
    let directory = tarball.parent().unwrap_or(Path::new("."));
    let names = [&ALLOY, &EVENTS_SDK, &COLLECTOR].map(|pin| format!("{}@{}", pin.package, pin.version));
    format!(
        "npm pack --pack-destination {} {}",
        directory.display(),
        names.join(" ")
    )
}

/// The scripts of the packages, each as Adobe published it. Empty where the pages load none of them.
#[derive(Clone, Debug, Default)]
pub struct Packages {
    pub(crate) alloy: String,
    pub(crate) events_sdk: String,
    pub(crate) collector: String,
}

impl Packages {
    /// Reads what the configuration needs: nothing in the mode that deploys the settings alone.
    ///
    /// # Errors
    /// See [`Self::read`].
    pub fn needed(config: &Config) -> Result<Self, PackageError> {
        match config.storefront.mode {
            StorefrontMode::Contexts => Ok(Self::default()),
            StorefrontMode::Standalone | StorefrontMode::Collector => Self::read(&config.storefront.packages),
        }
    }

    /// Reads the tarballs in a directory, and checks their hashes.
    ///
    /// # Errors
    /// A tarball that is missing, cannot be read, or is another one.
    pub fn read(directory: &Path) -> Result<Self, PackageError> {
        Ok(Self {
            alloy: read(directory, &ALLOY)?,
            events_sdk: read(directory, &EVENTS_SDK)?,
            collector: read(directory, &COLLECTOR)?,
        })
    }

    /// Returns packages with these scripts, for tests that must not depend on Adobe's.
    #[cfg(test)]
    pub(crate) fn made_up() -> Self {
        Self {
            alloy: "alloy();".to_owned(),
            events_sdk: "sdk();".to_owned(),
            collector: "collector(); // end".to_owned(),
        }
    }
}

fn read(directory: &Path, pin: &Pin) -> Result<String, PackageError> {
    let path = directory.join(pin.tarball);
    let tarball = fs::read(&path).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => PackageError::Missing { path: path.clone() },
        _ => PackageError::Unreadable {
            path: path.clone(),
            cause,
        },
    })?;
    // Before it is unpacked: what follows may trust its content.
    let found = digest::sha512(&tarball);
    if found != pin.sha512 {
        let (package, version) = (pin.package, pin.version);
        return Err(PackageError::Altered {
            path,
            package,
            version,
            found,
        });
    }
    script(&tarball, pin.file).map_err(|cause| PackageError::Unreadable { path, cause })
}

/// Returns the text of one file of a tarball.
fn script(tarball: &[u8], file: &str) -> std::io::Result<String> {
    let mut archive = tar::Archive::new(GzDecoder::new(tarball));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(file) {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            return Ok(text);
        }
    }
    Err(std::io::Error::new(
        std::io::ErrorKind::NotFound,
        format!("it has no file {file}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_altered_package_names_the_command_to_get_it() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Packages::read(dir.path()).unwrap_err().to_string();
        let command = format!(
            "npm pack --pack-destination {} @adobe/alloy@2.33.1 @adobe/magento-storefront-events-sdk@1.18.0 \
             @adobe/magento-storefront-event-collector@1.18.0",
            dir.path().display()
        );
        assert!(
            missing.ends_with(&command) && missing.contains("adobe-alloy-2.33.1.tgz is missing"),
            "{missing}"
        );
        fs::write(dir.path().join(ALLOY.tarball), "not it").unwrap();
        let altered = Packages::read(dir.path()).unwrap_err().to_string();
        assert!(
            altered.contains("is not @adobe/alloy 2.33.1") && altered.ends_with(&command),
            "{altered}"
        );
    }

    #[test]
    fn the_script_that_fetches_has_the_same_versions_and_hashes() {
        let script = include_str!("../../packaging/fetch-storefront");
        for pin in [&ALLOY, &EVENTS_SDK, &COLLECTOR] {
            let line = format!("\n{} {} {}\n", pin.package, pin.version, pin.sha512);
            assert!(script.contains(&line), "{line}");
            let name = format!("{}-{}.tgz", pin.package[1..].replace('/', "-"), pin.version);
            assert_eq!(pin.tarball, name);
        }
    }

    #[test]
    fn a_file_of_a_tarball_is_found_by_its_path() {
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
            Vec::new(),
            flate2::Compression::fast(),
        ));
        for (path, text) in [("package/index.js", "wrong"), ("package/dist/index.js", "right")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        let tarball = archive.into_inner().unwrap().finish().unwrap();
        assert_eq!(script(&tarball, "package/dist/index.js").unwrap(), "right");
        assert!(script(&tarball, "package/gone.js").is_err());
        assert!(script(b"no tarball", "package/dist/index.js").is_err());
    }
}
