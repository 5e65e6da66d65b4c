//! A headless Chromium with a profile of its own, driven over WebDriver.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::daemon::{PATIENCE, say};
use crate::support::edge;

/// The appearance of a browser.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub width: u32,
    pub is_dark: bool,
    pub has_script: bool,
}

impl Look {
    pub const DESKTOP: Self = Self {
        width: 1280,
        is_dark: false,
        has_script: true,
    };
    pub const WITHOUT_SCRIPT: Self = Self {
        has_script: false,
        ..Self::DESKTOP
    };
}

pub struct Browser {
    pub client: Client,
    base: String,
    driver: Driver,
}

/// The process of chromedriver; it ends with this value.
struct Driver {
    child: Child,
    profile: tempfile::TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // After a failed test the session is still open, and Chromium outlives its driver.
        for process in processes_with(self.profile.path()) {
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

/// Returns the processes whose command line names this profile.
pub fn processes_with(profile: &Path) -> Vec<Pid> {
    let profile = format!("--user-data-dir={}", profile.display());
    let named = |entry: std::fs::DirEntry| {
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let is_ours = command
            .split(|byte| *byte == 0)
            .any(|word| word == profile.as_bytes());
        Pid::from_raw(entry.file_name().to_str()?.parse().ok()?).filter(|_| is_ours)
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(named).collect()
}

impl Browser {
    /// Starts a browser for the pages at `base`; `None` where there is no Chromium.
    pub async fn start(base: &str, look: Look) -> Option<Self> {
        let (Some(driver), Some(chromium)) = (program("chromedriver"), program("chromium")) else {
            say("skipped: there is no chromium with chromedriver; tests/run installs them");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let port = edge::free_address().port();
        let child = Command::new(driver)
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let capabilities = capabilities(&chromium, profile.path(), look);
        let driver = Driver { child, profile };
        let Value::Object(capabilities) = capabilities else {
            unreachable!()
        };
        let deadline = Instant::now() + PATIENCE;
        let client = loop {
            let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(capabilities.clone());
            match builder.connect(&format!("http://127.0.0.1:{port}")).await {
                Ok(client) => break client,
                Err(error) => assert!(Instant::now() < deadline, "no session: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        Some(Self {
            client,
            base: base.to_owned(),
            driver,
        })
    }

    /// Ends the session, so that Chromium ends before its driver.
    pub async fn close(self) {
        self.client.close().await.unwrap();
        drop(self.driver);
    }

    pub async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    /// Clicks the button with this text, the first of several, once it is there, and waits for the page that it leads to.
    pub async fn press(&self, label: &str) {
        let button = format!("//button[normalize-space()='{label}']");
        // A part of the page may be replaced between the search and the click.
        let deadline = Instant::now() + PATIENCE;
        let page = loop {
            match self.click(&button).await {
                Ok(page) => break page,
                Err(error) if Instant::now() >= deadline => {
                    panic!("no button {label}: {error}\n{}", self.text().await)
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        // To open the page again before the form has arrived would take back the form.
        while page.tag_name().await.is_ok() {
            assert!(Instant::now() < deadline, "{label} leads to no page");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Clicks an element. Returns the root of the page that holds it.
    async fn click(&self, path: &str) -> Result<Element, CmdError> {
        let page = self.client.find(Locator::Css("html")).await?;
        self.client.find(Locator::XPath(path)).await?.click().await?;
        Ok(page)
    }

    /// Types into the field with this id, in place of its value, once it is there.
    pub async fn fill(&self, id: &str, value: &str) {
        let field = self
            .client
            .wait()
            .at_most(PATIENCE)
            .for_element(Locator::Id(id))
            .await
            .unwrap();
        field.clear().await.unwrap();
        field.send_keys(value).await.unwrap();
    }

    /// Returns the visible text of the page, empty while it is loading.
    pub async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Waits until the page holds a text. Without a script the page is opened again until it does.
    pub async fn wait_for(&self, text: &str, look: Look) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.text().await;
            if shown.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "{text:?} is not on the page:\n{shown}");
            if !look.has_script {
                self.client.refresh().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns true once an element that the selector names is on the page; false if the deadline passes first.
    pub async fn appears(&self, selector: &str, look: Look, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if self.client.find(Locator::Css(selector)).await.is_ok() {
                return true;
            }
            if !look.has_script {
                self.client.refresh().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Saves a picture of the window in the target directory.
    pub async fn save(&self, name: &str) -> PathBuf {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(format!("{name}.png"));
        let mut picture = self.client.screenshot().await;
        for _ in 0..2 {
            // On a busy machine the page may not be painted in time.
            if picture.is_err() {
                picture = self.client.screenshot().await;
            }
        }
        std::fs::write(&path, picture.unwrap()).unwrap();
        path
    }
}

pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

fn capabilities(chromium: &Path, profile: &Path, look: Look) -> Value {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-gpu".to_owned(),
        "--no-first-run".to_owned(),
        "--lang=en-GB".to_owned(),
        // The pages need no other host, and a test must not reach one.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost".to_owned(),
        format!("--user-data-dir={}", profile.display()),
        format!("--window-size={},1400", look.width),
        format!(
            "--blink-settings=preferredColorScheme={}",
            u8::from(!look.is_dark)
        ),
    ];
    // Chromium's sandbox does not work for root.
    if rustix::process::getuid().is_root() {
        arguments.push("--no-sandbox".to_owned());
    }
    let script = if look.has_script { 1 } else { 2 };
    let mut options = json!({
        "binary": chromium,
        "args": arguments,
        "prefs": {"profile.managed_default_content_settings.javascript": script},
    });
    // A window is at least 500 pixels wide, a telephone is not.
    if look.width < 500 {
        options["mobileEmulation"] = json!({"deviceMetrics": {"width": look.width, "height": 1400, "pixelRatio": 1.0, "touch": false}});
    }
    json!({"browserName": "chrome", "goog:chromeOptions": options})
}
