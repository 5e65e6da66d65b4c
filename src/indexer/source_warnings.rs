//! Warnings about the source: each is logged when its condition begins, and stored for `status` while it lasts.

use crate::commerce::source::SourceWarning;
use crate::store::meta::StoredWarning;

/// The warnings of the last check; `None` before the first one, because the store may hold those of an earlier process.
#[derive(Debug, Default)]
pub(super) struct WarningLog {
    known: Option<Vec<SourceWarning>>,
}

impl WarningLog {
    /// Logs the warnings that are new and the end of the others. Returns what to store, if it differs from the last check.
    pub(super) fn update(&mut self, now: Vec<SourceWarning>) -> Option<Vec<StoredWarning>> {
        if self.known.as_ref() == Some(&now) {
            return None;
        }
        let before = self.known.take().unwrap_or_default();
        for warning in now.iter().filter(|warning| !before.contains(warning)) {
            log_warning(warning);
        }
        for ended in before.iter().filter(|warning| !now.contains(warning)) {
            tracing::info!(
                code = ended.code(),
                "A warning about the source no longer applies"
            );
        }
        let stored = now.iter().map(stored_warning).collect();
        self.known = Some(now);
        Some(stored)
    }
}

fn log_warning(warning: &SourceWarning) {
    let remedy = warning.remedy();
    match warning {
        SourceWarning::Triggers { why, .. } => tracing::warn!(
            log_code = "OF03-07",
            why,
            remedy,
            "Changes of orders are missed, because of the triggers that capture depends on"
        ),
        SourceWarning::Plain => tracing::warn!(
            log_code = "OF03-08",
            remedy,
            "Connections to the database are not encrypted"
        ),
        SourceWarning::Unverified => tracing::warn!(
            log_code = "OF03-09",
            remedy,
            "The certificate of the database is not verified"
        ),
        SourceWarning::Journal { why } => tracing::warn!(
            log_code = "OF03-15",
            why,
            remedy,
            "The journal of I/O Events cannot be read; changes are found by the polls"
        ),
    }
}

fn stored_warning(warning: &SourceWarning) -> StoredWarning {
    StoredWarning {
        code: warning.code().to_owned(),
        message: warning.message(),
        remedy: warning.remedy().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_stored_when_they_change_and_once_after_a_start() {
        let mut log = WarningLog::default();
        let codes = |stored: Option<Vec<StoredWarning>>| {
            stored.map(|all| all.into_iter().map(|warning| warning.code).collect::<Vec<_>>())
        };
        assert_eq!(
            codes(log.update(vec![])),
            Some(vec![]),
            "those of an earlier process end"
        );
        assert_eq!(codes(log.update(vec![])), None);
        let unverified = || vec![SourceWarning::Unverified];
        assert_eq!(codes(log.update(unverified())), Some(vec!["OF03-09".to_owned()]));
        assert_eq!(codes(log.update(unverified())), None);
        assert_eq!(codes(log.update(vec![])), Some(vec![]));
    }
}
