//! Access tokens: issued by the emulated IMS, checked by the emulated edge.

use std::collections::{HashMap, VecDeque};

use orderfeed_model::clock::UtcMillis;

/// The claims of an access token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// The client it was issued to.
    pub(crate) client_id: String,
    pub(crate) org: String,
    pub(crate) scopes: Vec<String>,
    /// Expiry on the virtual clock.
    pub(crate) expires_at: UtcMillis,
}

/// All issued tokens. Expired ones are kept, since the edge answers them differently from unknown ones.
#[derive(Debug, Default)]
pub(crate) struct TokenStore {
    tokens: HashMap<String, Token>,
    recent: HashMap<String, VecDeque<UtcMillis>>,
}

impl TokenStore {
    /// Issues a token. Returns `None` if the client fetched `per_minute` tokens already (0 = no limit).
    pub(crate) fn issue(&mut self, token: Token, per_minute: u32, now: UtcMillis) -> Option<String> {
        let recent = self.recent.entry(token.client_id.clone()).or_default();
        while recent.front().is_some_and(|at| now.millis_since(*at) >= 60_000) {
            recent.pop_front();
        }
        if per_minute > 0 && recent.len() >= per_minute as usize {
            return None;
        }
        recent.push_back(now);
        let name = format!("emulated-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        self.tokens.insert(name.clone(), token);
        Some(name)
    }

    /// Finds a token, expired or not.
    pub(crate) fn find(&self, name: &str) -> Option<&Token> {
        self.tokens.get(name)
    }

    pub(crate) fn expire_all(&mut self) {
        for token in self.tokens.values_mut() {
            token.expires_at = UtcMillis(i64::MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            client_id: "c".into(),
            org: "o".into(),
            scopes: vec![],
            expires_at: UtcMillis(1000),
        }
    }

    #[test]
    fn a_client_that_asks_too_often_gets_none_until_a_minute_passed() {
        let mut store = TokenStore::default();
        assert!(store.issue(token(), 1, UtcMillis(0)).is_some());
        assert!(store.issue(token(), 1, UtcMillis(59_999)).is_none());
        assert!(store.issue(token(), 1, UtcMillis(60_000)).is_some());
        assert!(store.issue(token(), 0, UtcMillis(60_000)).is_some());
    }

    #[test]
    fn an_expired_token_is_still_known() {
        let mut store = TokenStore::default();
        let name = store.issue(token(), 0, UtcMillis(0)).unwrap();
        store.expire_all();
        assert_eq!(store.find(&name).unwrap().expires_at, UtcMillis(i64::MIN));
        assert!(store.find("other").is_none());
    }
}
