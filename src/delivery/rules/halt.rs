//! Why nothing gets through until a person mends it.

/// Why nothing gets through, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// A stable word or the edge's code.
    pub code: String,
    /// A sentence.
    pub reason: String,
    /// What to do.
    pub remedy: &'static str,
    /// Whether it was concluded from refusals of events, rather than said by the edge.
    pub inferred: bool,
}
