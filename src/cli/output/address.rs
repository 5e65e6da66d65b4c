//! Commands in messages, for a shop of several. Pure.
//!
//! Messages name the commands and the unit of a single shop. On a host with several, those would show or restart the wrong one.

use std::path::Path;

use crate::config::shop::ShopName;
use crate::ops::command_line::quoted;

/// The shop that a command is about, and how other commands address it.
#[derive(Clone, Debug)]
pub struct Addressee {
    unit: String,
    option: String,
}

impl Addressee {
    /// Returns the shop with this configuration file; `None` if the file is that of a single shop. `usual` is the file of a
    /// command without `--config`.
    pub fn of_file(file: &Path, usual: &Path) -> Option<Self> {
        let shop = ShopName::of_file(file).ok().flatten()?;
        let option = match shop.file(usual) == file {
            true => format!("--shop {shop}"),
            false => format!("--config {}", quoted(&file.to_string_lossy())),
        };
        let unit = format!("orderfeed@{shop}");
        Some(Self { unit, option })
    }

    /// Returns the same for the text of a JSON document, in which quotes and backslashes are escaped.
    fn in_json(&self) -> Self {
        let escaped = serde_json::Value::from(self.option.as_str()).to_string();
        Self {
            unit: self.unit.clone(),
            option: escaped.trim_matches('"').to_owned(),
        }
    }

    fn addressed(&self, text: &str) -> String {
        let mut text = text.replace("`orderfeed ", &format!("`orderfeed {} ", self.option));
        for command in [
            "systemctl start",
            "systemctl stop",
            "systemctl restart",
            "systemctl reload",
            "systemctl status",
            "systemctl edit",
            "journalctl -u",
        ] {
            text = text.replace(
                &format!("{command} orderfeed"),
                &format!("{command} {}", self.unit),
            );
        }
        text
    }
}

/// Returns a text with its commands addressed to this shop; unchanged for a single shop.
pub fn addressed(shop: Option<&Addressee>, text: String) -> String {
    match shop {
        Some(shop) => shop.addressed(&text),
        None => text,
    }
}

/// Returns a JSON document with the commands in its texts addressed to this shop; unchanged for a single shop.
pub fn addressed_json(shop: Option<&Addressee>, document: String) -> String {
    addressed(shop.map(Addressee::in_json).as_ref(), document)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = "/etc/orderfeed/orderfeed.toml";

    fn for_file(file: &str, text: &str) -> Option<String> {
        Some(Addressee::of_file(Path::new(file), Path::new(USUAL))?.addressed(text))
    }

    #[test]
    fn commands_and_units_are_those_of_the_shop() {
        let text = "start it with `systemctl start orderfeed`; `journalctl -u orderfeed -n 20` and `orderfeed failed list` show more";
        assert_eq!(
            for_file("/etc/orderfeed/shops/agency.toml", text).unwrap(),
            "start it with `systemctl start orderfeed@agency`; `journalctl -u orderfeed@agency -n 20` and \
             `orderfeed --shop agency failed list` show more"
        );
        assert_eq!(
            for_file("/srv/shops/agency.toml", "`orderfeed doctor`").unwrap(),
            "`orderfeed --config /srv/shops/agency.toml doctor`"
        );
        assert_eq!(for_file(USUAL, text), None);
    }

    #[test]
    fn a_strange_path_is_one_word_of_a_shell_and_leaves_json_valid() {
        let file = Path::new(r#"/srv/my "old"\shops/shops/agency.toml"#);
        let shop = Addressee::of_file(file, Path::new(USUAL)).unwrap();
        let command = format!("`orderfeed --config '{}' doctor`", file.display());
        assert_eq!(shop.addressed("`orderfeed doctor`"), command);
        let document = addressed_json(Some(&shop), r#"{"remedy": "run `orderfeed doctor`"}"#.to_owned());
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["remedy"], format!("run {command}"));
    }
}
