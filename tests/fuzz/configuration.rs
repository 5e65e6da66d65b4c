//! Any text as a configuration: it is valid, or every problem names its place and contains no secret.

use std::fs;
use std::sync::OnceLock;

use orderfeed::config::{ConfigErrors, LoadedConfig, Origin, load};
use tempfile::TempDir;

/// The value of secrets in the inputs.
const MARK: &str = "mark-of-a-secret";
/// Keys whose values are secrets in any table, including tables without such a key.
const SECRETS: [&str; 3] = ["client_secret", "password", "api_key"];
/// All keys without a default, so that a short input can be a whole configuration.
const BASE: &str = r#"
[services_connector]
organization_id = "53A16ACB5CC1D3760A495C99@AdobeOrg"
[services_connector.production]
data_space_id = "2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90"
[edge]
auth = "none"
url = "http://127.0.0.1:9"
[source]
kind = "sqlite"
[websites.base]
datastream_id = "ebebf826-a01f-4458-8cec-ef61de241c93"
"#;

/// Checks an input. Its first byte selects whether the rest is used alone, added to a whole configuration, or put
/// into the environment.
pub fn check(data: &[u8]) {
    let Some((how, text)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    static DIR: OnceLock<TempDir> = OnceLock::new();
    let dir = DIR
        .get_or_init(|| tempfile::tempdir().expect("a directory"))
        .path()
        .join(format!("{:?}", std::thread::current().id()));
    let path = dir.join("orderfeed.toml");
    let drop_in = dir.join("conf.d/fuzz.toml");
    fs::create_dir_all(dir.join("conf.d")).expect("a directory");
    let (main, beside, env) = match how % 3 {
        0 => (&*text, "", Vec::new()),
        1 => (BASE, &*text, Vec::new()),
        _ => (BASE, "", variables(&text)),
    };
    fs::write(&path, main).expect("a file");
    fs::write(&drop_in, beside).expect("a file");
    match load(&path, env) {
        Ok(loaded) => in_force(&loaded, &text),
        Err(errors) => refused(&errors, &text),
    }
}

fn variables(text: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        line.split_once('=')
            .map(|(key, value)| (format!("ORDERFEED__{key}"), value.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

fn in_force(loaded: &LoadedConfig, text: &str) {
    let shown: Vec<String> = loaded
        .settings
        .iter()
        .map(|setting| setting.value.to_string())
        .collect();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let config = format!("{:?}", loaded.config);
    tells_no_secret(&[shown, warnings, vec![config]].concat().join("\n"), text);
}

fn refused(errors: &ConfigErrors, text: &str) {
    assert!(!errors.0.is_empty(), "a refusal has a reason");
    for problem in &errors.0 {
        assert!(!problem.message.is_empty());
        match &problem.place {
            Origin::Line(path, line) => {
                let lines = fs::read_to_string(path).map_or(0, |text| text.split('\n').count());
                assert!((1..=lines.max(1)).contains(line), "{problem}: {lines} lines");
            }
            Origin::File(path) => assert!(path.is_absolute()),
            Origin::Env(name) => assert!(!name.is_empty()),
            Origin::Defaults => panic!("a shipped file is wrong: {problem}"),
        }
    }
    assert!(errors.to_string().lines().count() <= 12, "at most a dozen lines");
    let all: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    tells_no_secret(&all.join("\n"), text);
    tells_no_secret(&errors.clone().in_short().to_string(), text);
}

/// Asserts that a mark used only as the value of a secret is in no message.
fn tells_no_secret(said: &str, text: &str) {
    let is_secret = |line: &str| {
        let name = line.split('=').next().unwrap_or_default().trim();
        let key = name.rsplit("__").next().unwrap_or_default();
        SECRETS.iter().any(|secret| key.eq_ignore_ascii_case(secret)) && !name.contains(MARK)
    };
    let several_lines = text.contains("\"\"\"") || text.contains("'''") || text.contains('\r');
    let only_secret = text.split('\n').filter(|line| line.contains(MARK)).all(is_secret);
    if only_secret && !several_lines {
        assert!(!said.contains(MARK), "a secret is printed: {said}");
    }
}
