//! The description of one source table.

/// A table that orders are read from.
#[derive(Debug)]
pub(crate) struct TableSpec {
    /// The name without prefix.
    pub(crate) table: &'static str,
    pub(crate) key: &'static str,
    /// The column with the id of the order, or of the document, that a row belongs to.
    pub(crate) owner: &'static str,
    /// The document's table, where the owner is a document rather than the order itself.
    pub(crate) parent: Option<&'static str>,
    /// The columns beside key and owner. One that the database lacks is read as NULL.
    pub(crate) columns: &'static [&'static str],
    pub(crate) presence: Presence,
}

/// The instances that have a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Every instance has it.
    Core,
    /// Some versions and editions; the sentence names what is not sent without the table.
    Optional(&'static str),
}
