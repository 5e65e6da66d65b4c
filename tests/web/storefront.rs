//! The storefront's files: written by the command, and served by the daemon. They need Adobe's packages, which
//! `tests/run` fetches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::daemon::say;
use crate::web::fixture::{Listen, Site};

/// Returns the directory of Adobe's packages; `None` if they were not fetched.
fn packages() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.tools/storefront");
    if path.is_dir() {
        return Some(path);
    }
    say(
        "tests/.tools/storefront is missing, so the storefront's files are not tested: packaging/fetch-storefront",
    );
    None
}

/// Returns the files below a directory, by their relative path.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(current) = open.pop() {
        for entry in std::fs::read_dir(&current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_serves_the_files_that_the_command_writes() {
    let Some(packages) = packages() else { return };
    let keys = format!("[storefront]\npackages = {:?}\n", packages.display().to_string());
    let site = Site::start_with(Listen::Tcp, 3, &keys).await;
    let out = site.shop.installation.path("storefront");
    let build = ["storefront", "build", "--out", out.to_str().unwrap()];
    let printed = site.shop.installation.run(&build).ok();
    assert!(
        printed.contains("base/snippet.html") && printed.contains("jp/snippet.html"),
        "{printed}"
    );
    let first = files(&out);
    site.shop.installation.run(&build).ok();
    assert!(first == files(&out), "two builds differ");

    let program = site.program();
    for (path, content) in &first {
        let answer = program.get(&format!("/storefront/{path}"));
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer.body.as_bytes() == String::from_utf8_lossy(content).as_bytes(),
            "{path}"
        );
        let header = |name: &str| answer.header(name).unwrap_or_default();
        assert_eq!(header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        let is_hashed = path.ends_with(".js") && !path.ends_with("/storefront.js");
        assert_eq!(header("cache-control").contains("immutable"), is_hashed, "{path}");
        let again = program
            .clone()
            .with("If-None-Match", header("etag"))
            .get(&format!("/storefront/{path}"));
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    let loader = program
        .send("HEAD", "/storefront/base/storefront.js", None)
        .unwrap();
    assert_eq!(
        (loader.status, loader.header("content-type")),
        (200, Some("text/javascript; charset=utf-8"))
    );
    assert_eq!(program.get("/storefront/base/none.js").status, 404);
    assert_eq!(program.post("/storefront/base/storefront.js", &[]).status, 405);

    // A page without the script: one of the daemon's own.
    let url = site.endpoint.url("/");
    let checked = site.shop.installation.run(&["storefront", "check", &url]);
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    let line = "problem: the page has no script below /storefront/";
    assert!(checked.stdout.starts_with(line), "{}", checked.stdout);
    let snippet = site
        .shop
        .installation
        .run(&["storefront", "snippet", "--website", "base"])
        .ok();
    assert_eq!(snippet.as_bytes(), first["base/snippet.html"]);
    site.daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_packages_are_named_with_the_command_and_cost_nothing_else() {
    let site = Site::start_with(Listen::Tcp, 1, "[storefront]\npackages = \"none\"\n").await;
    let refused = site
        .shop
        .installation
        .run(&["storefront", "snippet", "--website", "base"]);
    assert_eq!(refused.code, Some(69), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("npm pack --pack-destination"),
        "{}",
        refused.stderr
    );
    let answer = site.program().get("/storefront/base/storefront.js");
    assert_eq!(answer.status, 503);
    // A proxy may pass the answer on, so it names no path of this machine.
    assert!(!answer.body.contains("adobe-alloy"), "{}", answer.body);
    assert!(site.shop.installation.log().contains("OF09-06"));
    let status = site.shop.installation.run(&["status", "--json"]).ok();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["storefront"][0]["on"], true, "{status}");
    let unknown = site
        .shop
        .installation
        .run(&["storefront", "snippet", "--website", "bse"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    site.daemon.stop();
}
