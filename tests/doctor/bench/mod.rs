//! A bench of injected faults: for each, the first line of `doctor` names the cause, and the remedy follows. `status` begins
//! with the fault too, where the store shows it.

mod configured;
mod database;
mod operation;

use crate::support::daemon::{Installation, eventually, say};

/// A fault, as an operator must find it.
pub struct Fault<'a> {
    /// The check that the first line of `doctor` names.
    pub check: &'a str,
    pub cause: &'a [&'a str],
    pub remedy: &'a [&'a str],
    /// The words with which `status` begins; empty if the store does not show the fault.
    pub status: &'a [&'a str],
}

impl Fault<'_> {
    /// Waits until `doctor` begins with the fault.
    #[track_caller]
    pub fn is_named_by(&self, installation: &Installation) {
        let has = |text: &str, words: &[&str]| words.iter().all(|word| text.contains(word));
        let mut text = String::new();
        eventually(&format!("doctor names {}: {text}", self.check), || {
            text = installation.run(&["doctor"]).stdout;
            let mut lines = text.lines();
            let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
            let named = first.contains(&format!(" {}", self.check)) && has(first, self.cause);
            let is_found = named && second.starts_with("  → ") && has(second, self.remedy);
            if !is_found && !first.is_empty() {
                say(&format!("{}: {first}\n{second}", self.check));
            }
            is_found
        });
        eventually(&format!("status names {}", self.check), || {
            let status = installation.run(&["status"]).stdout;
            has(status.lines().next().unwrap_or_default(), self.status)
        });
    }
}

/// Waits until neither `doctor` nor `status` finds anything.
#[track_caller]
pub fn is_well(installation: &Installation) {
    for command in ["doctor", "status"] {
        eventually(&format!("{command} finds nothing"), || {
            installation.run(&[command]).stdout.starts_with("All is well\n")
        });
    }
}
