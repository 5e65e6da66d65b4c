//! The two database servers of the tests: how each is found, initialized and started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A database product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Product {
    /// Debian's MariaDB, which `tests/run` installs.
    MariaDb,
    /// MySQL from Debian unstable, which `tests/run` extracts into `tests/.tools`.
    MySql,
}

impl Product {
    /// Returns true if the server is there. MariaDB always counts as there: without it the tests fail.
    pub fn is_available(self) -> bool {
        match self {
            Self::MariaDb => true,
            Self::MySql => mysqld().is_some(),
        }
    }

    /// Creates the system tables below `dir`.
    pub(crate) fn initialize(self, dir: &Path) {
        let mut command = match self {
            Self::MariaDb => {
                let mut command = Command::new("mariadb-install-db");
                command.args([
                    "--no-defaults",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                ]);
                command
            }
            Self::MySql => {
                let mut command = self.daemon();
                command.args(["--initialize-insecure", "--innodb-flush-method=nosync"]);
                command.arg("--innodb-flush-log-at-trx-commit=0");
                command
            }
        };
        let output = command
            .arg(format!("--datadir={}", dir.join("data").display()))
            .arg(format!("--tmpdir={}", dir.join("tmp").display()))
            .args(as_root())
            .output();
        match output {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!(
                "{self:?} cannot be initialized: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(cause) => {
                panic!("{self:?} is not there ({cause}): run tests/run, which fetches it from Debian")
            }
        }
    }

    /// Returns the command line of a server on `port` with its files below `dir`.
    pub(crate) fn command_line(self, dir: &Path, port: u16) -> Vec<OsString> {
        let dir = dir.display();
        let command = self.daemon();
        let mut line = vec![command.get_program().to_owned()];
        line.extend(command.get_args().map(OsString::from));
        let common = [
            "--bind-address=127.0.0.1".to_owned(),
            "--skip-name-resolve".into(),
            "--skip-log-bin".into(),
            "--innodb-flush-log-at-trx-commit=0".into(),
            "--innodb-buffer-pool-size=128M".into(),
            "--innodb-flush-method=nosync".into(),
            "--performance-schema=0".into(),
            "--max-connections=300".into(),
            "--max-allowed-packet=64M".into(),
            format!("--datadir={dir}/data"),
            // Not /tmp, where a starting server would remove the temporary tables of the others.
            format!("--tmpdir={dir}/tmp"),
            format!("--socket={dir}/sock"),
            format!("--pid-file={dir}/pid"),
            format!("--init-file={dir}/init.sql"),
            format!("--port={port}"),
        ];
        line.extend(common.into_iter().map(OsString::from));
        let own: &[&str] = match self {
            Self::MariaDb => &["--skip-networking=0", "--innodb-log-file-size=64M"],
            Self::MySql => &[
                "--mysqlx=OFF",
                "--secure-file-priv=",
                "--innodb-redo-log-capacity=64M",
            ],
        };
        line.extend(own.iter().chain(as_root().iter()).map(OsString::from));
        line
    }

    /// Returns the server program with the options that must come first.
    fn daemon(self) -> Command {
        match self {
            Self::MariaDb => {
                let mut command = Command::new("mariadbd");
                command.arg("--no-defaults");
                command
            }
            // The script of `tests/fetch-mysql` has `--no-defaults` itself.
            Self::MySql => Command::new(mysqld().expect("the test asked whether MySQL is there")),
        }
    }
}

/// Returns `$MYSQLD`, or the server that `tests/run` fetched.
fn mysqld() -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.tools/mysql/mysqld");
    let candidates = [std::env::var_os("MYSQLD").map(PathBuf::from), Some(fetched)];
    candidates.into_iter().flatten().find(|path| path.is_file())
}

/// Returns the option without which a server refuses to run as root.
fn as_root() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("--user=root")
}
