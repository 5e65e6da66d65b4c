//! A store in a directory of a user without an account, a directory of root beside it, and commands that root runs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::daemon::{Installation, Ran, say};
use crate::support::edge;

/// The owner of the store.
pub const OWNER: u32 = 54_321;
/// Longest time that a command may take.
const LIMIT: Duration = Duration::from_secs(60);
/// A person for commands that need one.
pub const PERSON: &str = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514";

/// Returns false, with a note, if this test is not run by root.
pub fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        say("not run by root: root's commands were not tested");
    }
    is_root
}

/// The configuration, which only root can read, and the two directories.
pub struct Ground {
    pub installation: Installation,
    dir: tempfile::TempDir,
}

impl Ground {
    /// Creates the directories. `store` is the path of the store in the owner's directory.
    pub fn new(store: &str) -> Self {
        let open = fs::Permissions::from_mode(0o755);
        let dir = tempfile::Builder::new().permissions(open).tempdir().unwrap();
        let source =
            "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"mysql://orderfeed@127.0.0.1:9/magento\"\n";
        let installation = Installation::new(&edge::config("http://127.0.0.1:9", source));
        let ground = Self { installation, dir };
        for (directory, owner) in [(ground.roots(), 0), (ground.state(), OWNER)] {
            fs::create_dir(&directory).unwrap();
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
            lchown(&directory, Some(owner), Some(owner)).unwrap();
        }
        ground.set_store(&ground.state().join(store));
        ground
    }

    /// Creates the directories, and a store.
    pub fn with_store() -> Self {
        let ground = Self::new("orderfeed.db");
        ground.run(&["suppress", "add", "--sha256", PERSON]).ok();
        ground
    }

    pub fn set_store(&self, path: &Path) {
        let text = format!("[store]\npath = \"{}\"\n", path.display());
        self.installation.layer("store", &text);
    }

    /// Returns the directory of the store's owner.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Returns the directory that only root can enter.
    pub fn roots(&self) -> PathBuf {
        self.dir.path().join("roots")
    }

    /// Creates a link of the owner from `name` to a file of root with the same name, which does not exist.
    pub fn plant(&self, name: &str) {
        self.link(name, &self.roots().join(name));
    }

    /// Creates a link of the owner.
    pub fn link(&self, name: &str, target: &Path) {
        let link = self.state().join(name);
        symlink(target, &link).unwrap();
        lchown(&link, Some(OWNER), Some(OWNER)).unwrap();
    }

    /// Returns the names in the directory of root.
    pub fn in_roots(&self) -> Vec<String> {
        let entries = fs::read_dir(self.roots()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// Runs a command as root, to its end.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, Stdio::null())
    }

    /// Runs a command as root, to its end, with this stdin.
    #[track_caller]
    pub fn run_with(&self, args: &[&str], stdin: Stdio) -> Ran {
        let mut command = self.installation.command(args);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + LIMIT;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("{args:?} did not end: {:?}", child.wait_with_output());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
