//! The sessions of logged-in operators, in memory: a restart ends them. Only hashes of the tokens are kept, so that a lookup
//! takes the same time for every wrong token.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Most sessions at the same time. A further login ends the session that was used least recently.
const MAX_SESSIONS: usize = 64;
/// Longest time without a request.
const IDLE: Duration = Duration::from_secs(3600);
/// Longest time since the login.
pub(crate) const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// Length of a token: 128 bits.
const TOKEN_BYTES: usize = 16;

/// The hash of a session's token.
pub(crate) type SessionId = [u8; 32];

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: HashMap<SessionId, Session>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    begun: Instant,
    used: Instant,
}

impl Session {
    fn is_valid(&self, now: Instant) -> bool {
        now.duration_since(self.used) < IDLE && now.duration_since(self.begun) < LONGEST
    }
}

impl Sessions {
    /// Begins a session and returns its token; `None` if the system gives no random bytes.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<String> {
        let mut token = [0; TOKEN_BYTES];
        getrandom::fill(&mut token).ok()?;
        let token = hex::encode(token);
        self.open.retain(|_, session| session.is_valid(now));
        if self.open.len() >= MAX_SESSIONS {
            let oldest = self.open.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.open.remove(&oldest);
            }
        }
        let session = Session {
            begun: now,
            used: now,
        };
        self.open.insert(id_of(&token), session);
        Some(token)
    }

    /// Returns the valid session with this token, which counts as used now.
    pub(crate) fn find(&mut self, token: &str, now: Instant) -> Option<SessionId> {
        let id = id_of(token);
        let session = self.open.get_mut(&id)?;
        if !session.is_valid(now) {
            self.open.remove(&id);
            return None;
        }
        session.used = now;
        Some(id)
    }

    pub(crate) fn end(&mut self, id: &SessionId) {
        self.open.remove(id);
    }

    pub(crate) fn end_all(&mut self) {
        self.open.clear();
    }
}

fn id_of(token: &str) -> SessionId {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_without_use_and_after_its_longest_time() {
        let (mut sessions, begun) = (Sessions::default(), Instant::now());
        let token = sessions.begin(begun).unwrap();
        assert_eq!(token.len(), 32);
        assert!(sessions.find("another", begun).is_none());
        let mut now = begun;
        while now.duration_since(begun) < LONGEST - IDLE {
            now += IDLE - Duration::from_secs(1);
            assert!(sessions.find(&token, now).is_some());
        }
        assert!(sessions.find(&token, begun + LONGEST).is_none());
        let idle = sessions.begin(begun).unwrap();
        assert!(sessions.find(&idle, begun + IDLE).is_none());
        assert!(sessions.open.is_empty());
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let (mut sessions, begun) = (Sessions::default(), Instant::now());
        let tokens: Vec<String> = (0..MAX_SESSIONS as u64)
            .map(|second| sessions.begin(begun + Duration::from_secs(second)).unwrap())
            .collect();
        let now = begun + Duration::from_secs(100);
        // The first was used last, so the second makes room.
        sessions.find(&tokens[0], now).unwrap();
        sessions.begin(now).unwrap();
        assert_eq!(sessions.open.len(), MAX_SESSIONS);
        assert!(sessions.find(&tokens[0], now).is_some() && sessions.find(&tokens[1], now).is_none());
        let id = sessions.find(&tokens[2], now).unwrap();
        sessions.end(&id);
        assert!(sessions.find(&tokens[2], now).is_none());
        sessions.end_all();
        assert!(sessions.open.is_empty());
    }
}
