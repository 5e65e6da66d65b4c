//! `config check` validates the configuration; `config show` prints the values in force.

use std::fmt::Write as _;
use std::path::Path;

use crate::cli::output;
use crate::config::{ConfigErrors, EffectiveSetting, LoadedConfig, Origin, load, process_environment};

#[derive(Clone, Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Validate the configuration as `run` does; exit code 78 if it is invalid
    #[command(
        after_help = "Examples:\n  orderfeed config check\n  orderfeed config check --quiet && systemctl reload orderfeed"
    )]
    Check(ConfigCheckArgs),
    /// Print the values in force as TOML, secrets as ***
    #[command(
        after_help = "Examples:\n  orderfeed config show --origin\n  orderfeed config show --changed --json"
    )]
    Show(ConfigShowArgs),
}

#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct ConfigCheckArgs {
    /// Print nothing if the configuration is valid, except warnings
    #[arg(long, short)]
    pub quiet: bool,
    /// Accept missing secrets: they may come from systemd credentials, which only the service can read
    #[arg(long)]
    pub without_credentials: bool,
}

#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct ConfigShowArgs {
    /// Append the origin of each value: defaults, file:line, or env NAME
    #[arg(long)]
    pub origin: bool,
    /// Leave out values from the defaults
    #[arg(long)]
    pub changed: bool,
    /// Print a JSON array of {key, value, origin} instead of TOML
    #[arg(long)]
    pub json: bool,
}

/// Runs a `config` command on the file at `path` and the environment of this process.
pub fn run(path: &Path, command: &ConfigCommand) -> anyhow::Result<()> {
    let loaded = match load(path, process_environment(path)) {
        Err(errors) if is_accepted(command, &errors) => return Ok(()),
        loaded => loaded?,
    };
    output::data(&match command {
        ConfigCommand::Check(args) => checked(&loaded, *args),
        ConfigCommand::Show(args) => shown(&loaded.settings, *args),
    })?;
    Ok(())
}

/// Returns true if only secrets are missing and `--without-credentials` accepts that.
fn is_accepted(command: &ConfigCommand, errors: &ConfigErrors) -> bool {
    // systemd 252, as in Debian 12, runs ExecReload= without the credentials of the service.
    let without = matches!(command, ConfigCommand::Check(args) if args.without_credentials);
    without && errors.0.iter().all(|problem| problem.is_missing_secret())
}

/// Formats the output of `config check` for a valid configuration.
fn checked(loaded: &LoadedConfig, args: ConfigCheckArgs) -> String {
    let mut text = String::new();
    for warning in &loaded.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    if !args.quiet {
        for (code, website) in &loaded.config.websites {
            let _ = writeln!(text, "Website {code}: storefront events {}", website.storefront());
        }
        let websites = loaded.config.websites.values();
        let sending = websites.filter(|website| website.back_office_events).count();
        let files = loaded.files();
        let _ = writeln!(
            text,
            "The configuration is valid: {files} (websites sending: {sending})"
        );
    }
    text
}

fn shown(settings: &[EffectiveSetting], args: ConfigShowArgs) -> String {
    let chosen = settings
        .iter()
        .filter(|setting| !args.changed || setting.origin != Origin::Defaults);
    if args.json {
        as_json(chosen)
    } else {
        as_toml(chosen, args)
    }
}

fn as_json<'a>(settings: impl Iterator<Item = &'a EffectiveSetting>) -> String {
    let rows: Vec<serde_json::Value> = settings
        .map(|setting| {
            serde_json::json!({
                "key": format!("{}.{}", setting.table, setting.name),
                "value": setting.value,
                "origin": setting.origin.to_string(),
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Array(rows))
}

fn as_toml<'a>(settings: impl Iterator<Item = &'a EffectiveSetting>, args: ConfigShowArgs) -> String {
    let (mut text, mut table) = (String::new(), "");
    for setting in settings {
        if setting.table != table {
            let gap = if table.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{}]", setting.table);
            table = &setting.table;
        }
        let origin = if args.origin {
            format!("  # from {}", setting.origin)
        } else {
            String::new()
        };
        let _ = writeln!(text, "{} = {}{origin}", setting.name, setting.value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigProblem;

    const TEXT: &str = r#"
        [services_connector]
        organization_id = "53A16ACB5CC1D3760A495C99@AdobeOrg"
        production.data_space_id = "2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90"
        [edge]
        auth = "none"
        [source.mysql]
        url = "mysql://shop:hunter2@db/mage"
        [websites.base]
        datastream_id = "ebebf826-a01f-4458-8cec-ef61de241c93"
        back_office_events = true
        [services_connector.sandbox]
        api_key = "hunter2"
    "#;

    fn loaded(directory: &Path) -> LoadedConfig {
        let path = directory.join("orderfeed.toml");
        std::fs::write(&path, TEXT).unwrap();
        load(&path, [("ORDERFEED__DELIVERY__LANES".to_owned(), "7".to_owned())]).unwrap()
    }

    #[test]
    fn the_output_of_show_loads_again_and_hides_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let text = shown(
            &loaded(directory.path()).settings,
            ConfigShowArgs {
                origin: true,
                ..ConfigShowArgs::default()
            },
        );
        assert!(
            text.contains("lanes = 7  # from env ORDERFEED__DELIVERY__LANES"),
            "{text}"
        );
        assert!(
            text.contains("max_batch_bytes = 60000  # from defaults"),
            "{text}"
        );
        assert!(text.contains("orderfeed.toml:10\n"), "{text}");
        assert!(
            text.contains("mysql://shop:***@db/mage") && text.contains("api_key = \"***\""),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
        let again = directory.path().join("again.toml");
        std::fs::write(&again, text).unwrap();
        assert_eq!(load(&again, []).unwrap().config.delivery.lanes, 7);
    }

    #[test]
    fn changed_values_can_be_shown_alone_and_as_json() {
        let directory = tempfile::tempdir().unwrap();
        let args = ConfigShowArgs {
            changed: true,
            json: true,
            ..ConfigShowArgs::default()
        };
        let text = shown(&loaded(directory.path()).settings, args);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(rows.len(), 8);
        assert_eq!(rows[6]["key"], "websites.base.back_office_events");
        assert_eq!(rows[7]["value"], 7);
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_check_prints_the_files_and_the_warnings() {
        let directory = tempfile::tempdir().unwrap();
        let loaded = loaded(directory.path());
        let text = checked(&loaded, ConfigCheckArgs::default());
        assert!(
            text.contains("warning: ") && text.contains("edge.auth: is \"none\""),
            "{text}"
        );
        assert!(
            text.contains("is valid: /") && text.contains("orderfeed.toml"),
            "{text}"
        );
        let quiet = ConfigCheckArgs {
            quiet: true,
            ..ConfigCheckArgs::default()
        };
        assert!(!checked(&loaded, quiet).contains("valid"));
    }

    #[test]
    fn a_check_without_credentials_accepts_missing_secrets_only() {
        let wrong = |key: &str| ConfigProblem {
            place: Origin::Defaults,
            key: key.to_owned(),
            message: "is not set; expected something".to_owned(),
        };
        let secret = ConfigErrors(vec![wrong("edge.oauth.client_secret")]);
        let more = ConfigErrors(vec![
            wrong("edge.oauth.client_secret"),
            wrong("edge.oauth.client_id"),
        ]);
        let without = ConfigCommand::Check(ConfigCheckArgs {
            without_credentials: true,
            ..ConfigCheckArgs::default()
        });
        assert!(is_accepted(&without, &secret) && !is_accepted(&without, &more));
        assert!(!is_accepted(
            &ConfigCommand::Check(ConfigCheckArgs::default()),
            &secret
        ));
    }
}
