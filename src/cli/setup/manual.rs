//! `manual`: writes manual pages from the command definitions, orderfeed.toml(5) from the shipped configuration, and
//! `docs/CONFIGURATION.md`. For packaging; hidden from the help.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap_mangen::Man;

const SECTION: &str = "8";
const SETTINGS: &str = include_str!("../../../config/orderfeed.toml");

#[derive(Clone, Debug, clap::Args)]
pub struct ManualArgs {
    /// Directory for the pages; created if it is missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// Writes a page for each command of `program`, and the pages of the configuration.
pub fn write(args: &ManualArgs, program: clap::Command) -> io::Result<()> {
    fs::create_dir_all(&args.dir)?;
    let mut root = program.disable_help_subcommand(true);
    // Gives each subcommand its full name, which is the name of its page.
    root.build();
    write_command(&root, &args.dir)?;
    fs::write(args.dir.join("orderfeed.toml.5"), settings_page())?;
    fs::write(args.dir.join("CONFIGURATION.md"), crate::config::reference())
}

fn write_command(command: &clap::Command, dir: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_command(below, dir)?;
    }
    let page = Man::new(command.clone()).section(SECTION);
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(dir.join(page.get_filename()), text)
}

/// Formats the shipped configuration, whose comments document every key, as a manual page.
fn settings_page() -> String {
    let mut page = format!(
        ".TH orderfeed.toml 5 \"\" \"orderfeed {}\"\n.SH NAME\norderfeed.toml \\- configuration of orderfeed(8)\n\
         .SH DESCRIPTION\nThe shipped file, which documents every key with its default:\n.PP\n.nf\n",
        env!("CARGO_PKG_VERSION")
    );
    for line in SETTINGS.lines() {
        // roff reads a line that starts with a dot or a quote as a request. \& prints nothing and prevents that.
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        page.push_str(guard);
        page.push_str(&line);
        page.push('\n');
    }
    page.push_str(".fi\n.SH SEE ALSO\norderfeed(8), orderfeed\\-config(8)\n");
    page
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn each_command_and_the_configuration_have_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let args = ManualArgs {
            dir: dir.path().join("man"),
        };
        write(&args, Cli::command()).unwrap();
        let page = |name: &str| fs::read_to_string(args.dir.join(name)).unwrap();
        assert!(page("orderfeed.8").contains("status"));
        assert!(page("orderfeed-cron-run.8").contains("orderfeed"));
        assert!(page("orderfeed.toml.5").contains("data_space_id"));
        assert!(page("CONFIGURATION.md").contains("data_space_id"));
        assert!(!args.dir.join("orderfeed-manual.8").exists(), "it is hidden");
    }
}
