//! The outcomes of actions until the page that follows shows them, for a short time.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::daemon::admin::access::sessions::SessionId;
use crate::web::Notice;

/// Longest time until the following page.
const LIFETIME: Duration = Duration::from_secs(60);
const MAX_NOTICES: usize = 64;
/// Longest text of several outcomes, in bytes.
const MAX_TEXT: usize = 2000;

/// An operator whose requests belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OperatorKey {
    Session(SessionId),
    Uid(u32),
}

#[derive(Debug, Default)]
pub(crate) struct Notices {
    waiting: HashMap<OperatorKey, (Notice, Instant)>,
}

impl Notices {
    /// Adds a notice. Two actions may end before a page is read, in two tabs for example; then the page shows both outcomes.
    pub(crate) fn put(&mut self, key: OperatorKey, mut notice: Notice, now: Instant) {
        self.waiting
            .retain(|_, (_, since)| now.duration_since(*since) < LIFETIME);
        if let Some((before, _)) = self.waiting.remove(&key)
            && before.text.len() + notice.text.len() < MAX_TEXT
        {
            notice.text = format!("{} {}", before.text, notice.text);
            notice.failed |= before.failed;
        }
        if self.waiting.len() < MAX_NOTICES {
            self.waiting.insert(key, (notice, now));
        }
    }

    /// Returns the notice for an operator, once.
    pub(crate) fn take(&mut self, key: &OperatorKey, now: Instant) -> Option<Notice> {
        let (notice, since) = self.waiting.remove(key)?;
        (now.duration_since(since) < LIFETIME).then_some(notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_shown_once_to_its_operator_and_not_later() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        let notice = Notice {
            text: "3 events".to_owned(),
            failed: false,
        };
        let (one, other) = (OperatorKey::Uid(1), OperatorKey::Session([1; 32]));
        notices.put(one, notice.clone(), now);
        assert_eq!(notices.take(&other, now), None);
        assert_eq!(notices.take(&one, now), Some(notice.clone()));
        assert_eq!(notices.take(&one, now), None);
        notices.put(one, notice.clone(), now);
        assert_eq!(notices.take(&one, now + LIFETIME), None);
        let failed = Notice {
            text: "The other failed.".to_owned(),
            failed: true,
        };
        notices.put(one, notice, now);
        notices.put(one, failed, now);
        let both = notices.take(&one, now).unwrap();
        assert_eq!(
            (both.text.as_str(), both.failed),
            ("3 events The other failed.", true)
        );
    }
}
