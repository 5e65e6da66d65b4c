//! The names of documents, and the facts of events.

use crate::store::outbox::EventKey;
use orderfeed_events::{EventKind, Fact};

/// Returns the name of a document, such as `invoice 77`.
pub(super) fn document_of(kind: EventKind, document: i64) -> String {
    format!("{} {document}", kind.document().as_str())
}

/// Returns true if the event with this key reports `fact`.
pub(super) fn is_of(key: EventKey, fact: &Fact) -> bool {
    (key.kind, key.document, key.generation) == (fact.kind.code(), fact.document_id, fact.generation)
}
