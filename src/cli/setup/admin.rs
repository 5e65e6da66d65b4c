//! `admin set-password`: sets the password of the web pages.

use std::io::{self, BufRead, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::Context as _;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output;
use crate::config::{AdminListen, Config};
use crate::daemon::admin::access::password;
use crate::store::file::identity::StoreOwner;

#[derive(Clone, Debug, clap::Subcommand)]
pub enum AdminCommand {
    /// Set the password that allows actions on the web pages
    #[command(
        after_help = "Asks twice on a terminal; otherwise reads one line from stdin. Stores an argon2id hash in \
        admin.password_file, or beside the store. A running daemon uses the new password at once, and ends every session.\n\n\
        Examples:\n  orderfeed admin set-password\n  \
        orderfeed admin set-password --print > admin_password    for LoadCredential="
    )]
    SetPassword(SetPasswordArgs),
}

#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct SetPasswordArgs {
    /// Print the hash instead of storing it
    #[arg(long)]
    pub print: bool,
}

pub fn run(context: &Context, command: &AdminCommand) -> anyhow::Result<Exit> {
    let AdminCommand::SetPassword(args) = command;
    if args.print {
        output::line(&new_hash()?)?;
        return Ok(Exit::Ok);
    }
    context.with_file(Config::admin_password_file, store)??;
    Ok(Exit::Ok)
}

/// Reads a password and stores its hash. `owner` is the user who must be able to read it, if that is not this one.
fn store(config: &Config, file: &Path, owner: Option<StoreOwner>) -> anyhow::Result<()> {
    let hash = new_hash()?;
    let own = |file: &std::fs::File| owner.map_or(Ok(()), |owner| owner.own(file));
    password::write(file, &hash, own).with_context(|| {
        format!(
            "the password cannot be stored in {}; set admin.password_file to a file that this user can write, or use --print",
            file.display()
        )
    })?;
    output::line(&format!("The password is set, in {}.", file.display()))?;
    output::notice(&next_step(&config.admin.listen));
    Ok(())
}

fn new_hash() -> anyhow::Result<String> {
    Ok(password::hash(&read_password()?).map_err(|error| UsageError(error.to_string()))?)
}

fn next_step(listen: &AdminListen) -> String {
    match listen {
        AdminListen::Off => {
            "The web pages are off: set admin.listen, such as \"127.0.0.1:9187\", and restart the daemon."
                .to_owned()
        }
        AdminListen::Tcp(address) => format!(
            "Open http://{address}/login on this machine. From another one: ssh -L {}:{address} HOST, then open \
             http://localhost:{}/login.",
            address.port(),
            address.port()
        ),
        AdminListen::Unix(path) => format!(
            "From another machine: ssh -L 9187:{} HOST, then open http://localhost:9187/login.",
            path.display()
        ),
    }
}

/// Reads a new password: twice from a terminal, or one line of stdin.
fn read_password() -> anyhow::Result<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return read_line();
    }
    let first = prompt("New password for the web pages: ")?;
    match prompt("Once more: ")? == first {
        true => Ok(first),
        false => Err(UsageError("the two passwords differ; nothing was changed".to_owned()).into()),
    }
}

fn prompt(text: &str) -> anyhow::Result<String> {
    output::prompt(text);
    let echo = WithoutEcho::begin().context("the terminal's echo cannot be switched off")?;
    let line = read_line();
    drop(echo);
    // The line break that was typed is not on the screen either.
    output::notice("");
    line
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    // One byte more than the longest password and its line break, to notice a longer one.
    let longest = password::MAX_BYTES as u64 + 3;
    io::stdin()
        .lock()
        .take(longest)
        .read_line(&mut line)
        .context("the password cannot be read")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// The terminal without echo. Dropping it restores the terminal. After a signal the shell does that.
struct WithoutEcho {
    before: Termios,
}

impl WithoutEcho {
    fn begin() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // Flushing discards input that was typed before the prompt.
        tcsetattr(stdin.as_fd(), OptionalActions::Flush, &silent)?;
        Ok(Self { before })
    }
}

impl Drop for WithoutEcho {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &self.before);
    }
}
