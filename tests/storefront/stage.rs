//! A shop's site, the edge and a browser for one test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::{Emulator, EmulatorConfig, EmulatorHandle, EventRow, EventStatus};
use serde_json::Value;

use crate::storefront::browser::{Ways, chromium, open};
use crate::storefront::site::{Page, Site};
use crate::support::daemon::{Installation, Ran, say};
use crate::support::edge;

/// Virtual milliseconds that a page stays open. The collector waits a second for consent, and each request costs nothing.
pub const STAY: u32 = 6_000;
/// The directory in which `tests/run` puts Adobe's packages.
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.tools/storefront");

/// Settings that all tests share. The shop's tables hold no configuration, so the currencies are given.
const SHARED: &str = r#"
[websites.base.store_views.default]
currency = "USD"
base_url = "https://shop.test/"
[websites.base.store_views.es_us]
currency = "USD"
base_url = "https://shop.test/es/"
[websites.base.store_views.outlet_en]
currency = "USD"
base_url = "https://outlet.test/"
"#;

/// Records what a page writes to the console and which cookies it has, in an element of the page.
const PROBE: &str = r#"
(function () {
  var lines = [];
  ["log", "info", "warn", "error"].forEach(function (level) {
    var own = console[level];
    console[level] = function () {
      lines.push(level + ": " + Array.from(arguments).map(String).join(" "));
      own.apply(console, arguments);
    };
  });
  window.addEventListener("error", function (event) { lines.push("error: " + event.message); });
  window.probe = {};
  setInterval(function () {
    var place = document.getElementById("probe");
    if (place) { place.textContent = JSON.stringify({ lines: lines, cookies: document.cookie, values: window.probe }); }
  }, 50);
})();
"#;

pub struct Stage {
    pub edge: EmulatorHandle,
    pub site: Site,
    pub installation: Installation,
    chromium: PathBuf,
}

/// The state of a page when it was closed.
#[derive(Debug)]
pub struct Seen {
    /// Lines of the console.
    pub console: Vec<String>,
    pub cookies: String,
    /// Values that the page's own script left in `window.probe`.
    pub values: Value,
}

impl Seen {
    fn read(html: &str) -> Self {
        let (_, rest) = html
            .split_once("id=\"probe\">")
            .unwrap_or_else(|| panic!("no probe in {html}"));
        let (text, _) = rest.split_once("</pre>").unwrap();
        let text = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&");
        let found: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let lines = found["lines"].as_array().unwrap().iter();
        Self {
            console: lines.map(|line| line.as_str().unwrap().to_owned()).collect(),
            cookies: found["cookies"].as_str().unwrap().to_owned(),
            values: found["values"].clone(),
        }
    }

    /// Asserts that a line of the console contains the text.
    #[track_caller]
    pub fn assert_logged(&self, text: &str) {
        assert!(
            self.console.iter().any(|line| line.contains(text)),
            "no line with {text:?}: {self:?}"
        );
    }

    /// Returns true if the browser has the Web SDK's cookie of this name.
    pub fn has_cookie(&self, name: &str) -> bool {
        let names = self
            .cookies
            .split("; ")
            .filter_map(|cookie| cookie.split('=').next());
        names
            .into_iter()
            .any(|cookie| cookie.starts_with("kndctr_") && cookie.ends_with(name))
    }
}

impl Stage {
    /// Starts the servers; `None` without a browser or Adobe's packages. `keys` are keys of `[storefront]`, and further tables.
    pub async fn start(keys: &str) -> Option<Self> {
        Self::start_with(keys, |_| {}).await
    }

    /// Starts the servers, with a changed edge.
    pub async fn start_with(keys: &str, change: impl FnOnce(&mut EmulatorConfig)) -> Option<Self> {
        let chromium = chromium()?;
        packages()?;
        let mut settings = EmulatorConfig {
            tls: true,
            keep_bodies: true,
            ..edge::settings()
        };
        change(&mut settings);
        let edge = Emulator::start(settings).await.unwrap();
        // The pages' virtual time runs ahead, and the schema check refuses timestamps in the future.
        edge.set_clock(edge.now().plus_millis(3_600_000));
        let source = "[source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"shop.db\"\n";
        let installation = Installation::new(&edge::config(&edge.server_url(), source));
        let mut shop = EmbeddedShop::open(&installation.path("shop.db")).unwrap();
        let tables = Shop::new(ShopOptions::default()).open_statements();
        shop.commit(&tables).unwrap();
        installation.layer("shared", SHARED);
        installation.layer(
            "storefront",
            &format!("[storefront]\npackages = \"{PACKAGES}\"\n{keys}\n"),
        );
        let site = Site::start().await;
        site.serve("/probe.js", Page::script(PROBE));
        Some(Self {
            edge,
            site,
            installation,
            chromium,
        })
    }

    /// Serves Adobe's SDK and collector as files of a theme, and returns the lines that load them.
    pub fn serve_theme_collector(&self) -> String {
        let scripts = [
            "magento-storefront-events-sdk",
            "magento-storefront-event-collector",
        ];
        let lines = scripts.map(|name| {
            let path = format!("/theme/{name}.js");
            let script = package_script(&format!("{name}-1.18.0"), "dist/index.js");
            self.site.serve(&path, script);
            format!("<script src=\"{path}\"></script>")
        });
        lines.join("\n")
    }

    /// Serves RequireJS, and returns the line that loads it; `None` with a line about the skipped test.
    pub fn serve_requirejs(&self) -> Option<&'static str> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.tools/require.js");
        let Ok(script) = std::fs::read_to_string(path) else {
            say("skipped: there is no RequireJS; tests/fetch-storefront fetches it");
            return None;
        };
        self.site.serve("/require.js", Page::script(script));
        Some("<script src=\"/require.js\"></script>")
    }

    /// Runs `storefront build` for the website into a directory of this name.
    pub fn build(&self, name: &str) -> Ran {
        let directory = self.installation.path(name);
        let out = directory.to_str().unwrap();
        self.installation
            .run(&["storefront", "build", "--website", "base", "--out", out])
    }

    /// Publishes the built files on the site. Returns the snippet.
    pub fn publish(&self) -> String {
        self.build("out").ok();
        let out = self.installation.path("out");
        self.site.serve_directory("/storefront/", &out);
        std::fs::read_to_string(out.join("base/snippet.html")).unwrap()
    }

    /// Serves a page at `path` with this head and script.
    pub fn serve(&self, path: &str, head: &str, script: &str) {
        self.site.serve(path, page(path, head));
        self.site.serve(&script_of(path), Page::script(script));
    }

    /// Serves a page with the built snippet at the root of the site, and opens it.
    pub async fn visit(&self, script: &str) -> Seen {
        let snippet = self.publish();
        self.serve("/", &snippet, script);
        self.open("https://shop.test/").await
    }

    /// Opens a page as a new visitor, and stays there.
    pub async fn open(&self, url: &str) -> Seen {
        let profile = tempfile::tempdir().unwrap();
        self.open_with(profile.path(), url, STAY).await
    }

    /// Opens a page for a number of milliseconds, as the visitor whose cookies are in the profile.
    pub async fn open_with(&self, profile: &Path, url: &str, stay: u32) -> Seen {
        Seen::read(&open(&self.chromium, profile, &self.ways(), url, stay).await)
    }

    pub fn ways(&self) -> Ways {
        let (edge, site) = (self.edge.edge_address().port(), self.site.address.port());
        Ways {
            hosts: vec![
                ("edge.adobedc.net", edge),
                ("adobedc.demdex.net", edge),
                ("edge.shop.test", edge),
                ("commerce.adobedc.net", site),
                ("shop.test", site),
                ("outlet.test", site),
            ],
            pins: vec![
                self.edge.certificate_pin().unwrap().to_owned(),
                self.site.pin.clone(),
            ],
        }
    }

    /// Returns the types of the recorded events, in order of arrival.
    pub fn event_types(&self) -> Vec<String> {
        let events = self.edge.events().into_iter();
        events.map(|row| row.event_type.unwrap_or_default()).collect()
    }

    /// Returns the types of the recorded events in alphabetical order.
    pub fn sorted_types(&self) -> Vec<String> {
        let mut types = self.event_types();
        types.sort();
        types
    }

    /// Returns the event of a purchase.
    #[track_caller]
    pub fn purchase(&self) -> EventRow {
        let mut events = self.edge.events().into_iter();
        let purchase = events.find(|row| row.purchase_id.is_some());
        purchase.unwrap_or_else(|| panic!("no purchase among {:?}", self.event_types()))
    }

    /// Returns the XDM of an event.
    pub fn xdm(&self, row: &EventRow) -> Value {
        let body = self.edge.body(&row.id).unwrap();
        let event: Value = serde_json::from_slice(&body).unwrap();
        event["xdm"].clone()
    }

    /// Returns the hosts under which the edge was called, with the number of requests.
    pub fn hosts(&self) -> BTreeMap<String, usize> {
        let mut hosts = BTreeMap::new();
        for row in self.edge.requests() {
            *hosts.entry(row.host.unwrap_or_default()).or_default() += 1;
        }
        hosts
    }

    /// Asserts that each event passed the schema and went to the datastream of the website `base`.
    #[track_caller]
    pub fn assert_events_are_valid(&self) {
        for row in self.edge.events() {
            assert_eq!(row.status, EventStatus::Recorded, "{row:?}");
            assert_eq!(row.datastream, edge::datastream(0), "{row:?}");
        }
    }

    /// Asserts that nothing reached the edge or Adobe Commerce.
    #[track_caller]
    pub fn assert_silent(&self) {
        assert_eq!(self.edge.requests(), [], "nothing may be sent");
        self.assert_nothing_to_commerce();
    }

    /// Asserts that the page loaded no file of Adobe's that is deployed for it.
    #[track_caller]
    pub fn assert_no_deployed_file(&self) {
        let mut hits = self.site.hits();
        hits.retain(|hit| hit.path.contains("adobe-files"));
        assert_eq!(hits, []);
    }

    #[track_caller]
    pub fn assert_nothing_to_commerce(&self) {
        let mut hits = self.site.hits();
        hits.retain(|hit| hit.host == "commerce.adobedc.net");
        assert_eq!(hits, []);
    }
}

/// Returns the directory of Adobe's packages, or `None` with a line about the skipped test.
pub fn packages() -> Option<&'static str> {
    if Path::new(PACKAGES).is_dir() {
        return Some(PACKAGES);
    }
    say("skipped: there are no packages of Adobe's; tests/fetch-storefront fetches them");
    None
}

/// Builds a page with the probe before everything else.
pub fn page(path: &str, head: &str) -> Page {
    Page::html(format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>Home</title>\n<script src=\"/probe.js\"></script>\n\
         {head}\n</head>\n<body>\n<pre id=\"probe\"></pre>\n<script src=\"{}\"></script>\n</body>\n</html>\n",
        script_of(path)
    ))
}

/// Returns the path of the script of a page.
fn script_of(path: &str) -> String {
    format!("{path}page.js")
}

/// Returns a file of one of Adobe's packages, as a theme would serve it.
pub fn package_script(package: &str, file: &str) -> Page {
    let output = std::process::Command::new("tar")
        .args([
            "-xzOf",
            &format!("{PACKAGES}/adobe-{package}.tgz"),
            &format!("package/{file}"),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{package} has no {file}");
    Page::script(String::from_utf8(output.stdout).unwrap())
}
