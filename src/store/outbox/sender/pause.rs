//! The pauses that peers asked for. They are kept apart from the senders' states, so that each binds every website that
//! it concerns, and survives an operator's pause, a halt and a restart.

use serde::Serialize;

use crate::store::outbox::FailureCode;
use crate::store::sql::stored_words;
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

stored_words! {
    /// The kind of owner that a pause binds.
    #[derive(PartialOrd, Ord, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum PauseScope {
        /// All websites of an organization, which share its quota.
        Organization = "organization",
        /// The websites that send to one datastream.
        Datastream = "datastream",
        /// The fetches of access tokens by one OAuth client.
        TokenClient = "token_client",
        /// One website, as earlier versions stored pauses.
        Website = "website",
    }
}

/// The owner that a pause binds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PauseKey {
    pub scope: PauseScope,
    /// Id of the organization, the datastream or the client, or code of the website.
    pub owner: String,
}

/// A pause that a peer asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub key: PauseKey,
    pub until: UtcMillis,
    /// Time of the answer that asked for it.
    pub asked_at: UtcMillis,
    /// Code of that answer.
    pub code: String,
}

impl Pause {
    /// Returns true if the peer asked for it because a quota or a rate limit was exceeded.
    pub fn is_throttling(&self) -> bool {
        FailureCode::parse(&self.code).is_throttling()
    }
}

impl Reader<'_> {
    /// Returns the last pause of every owner, also those that are over.
    pub fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        let sql = "SELECT scope, owner, until, asked_at, code FROM pause ORDER BY scope, owner";
        self.all(sql, [], |row| {
            Ok(Pause {
                key: PauseKey {
                    scope: row.get(0)?,
                    owner: row.get(1)?,
                },
                until: UtcMillis(row.get(2)?),
                asked_at: UtcMillis(row.get(3)?),
                code: row.get(4)?,
            })
        })
    }
}

impl Writer<'_> {
    /// Stores a pause in place of its owner's last one.
    pub fn set_pause(&mut self, pause: &Pause) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO pause VALUES (?1, ?2, ?3, ?4, ?5)";
        let Pause {
            key,
            until,
            asked_at,
            code,
        } = pause;
        self.run(sql, (key.scope, &key.owner, until.0, asked_at.0, code))
    }
}
