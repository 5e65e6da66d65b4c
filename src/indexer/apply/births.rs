//! The birth marks of one batch of orders, and the ids among them that are used again.

use crate::indexer::apply::derive::Derived;
use crate::store::feed::KnownBirth;
use crate::store::{StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// Marks that are stored after the batch's feed rows.
#[derive(Default)]
pub(super) struct Births {
    new: Vec<KnownBirth>,
    /// Number of documents with a reused id.
    reused: usize,
    /// Number of the first order with a reused id.
    reused_by: Option<String>,
}

impl Births {
    /// Takes the marks of a derived order. Returns false if another transaction gave one of its ids to another document
    /// since the derivation: then the events have the wrong generation, and the order must be read again.
    pub(super) fn admit(&mut self, writer: &mut Writer<'_>, derived: &Derived) -> Result<bool, StoreError> {
        let births = derived.births();
        let before = self.new.len();
        for birth in births {
            // Nearly every mark is the first of its id and is stored by one statement. It stays if the order is read again.
            if writer.claim_birth(birth)? {
                continue;
            }
            if !writer.holds_birth(birth)? {
                self.new.truncate(before);
                return Ok(false);
            }
            if !derived.row_holds(birth) {
                self.new.push(*birth);
            }
        }
        let reused = births.iter().filter(|birth| birth.is_reborn()).count();
        self.reused += reused;
        if reused > 0 && self.reused_by.is_none() {
            self.reused_by = derived.number().map(str::to_owned);
        }
        Ok(true)
    }

    /// Stores the marks, and logs a line if there are reused ids. The feed must hold the orders' rows.
    pub(super) fn store(&self, writer: &mut Writer<'_>, at: UtcMillis) -> Result<(), StoreError> {
        writer.store_births(&self.new, at)?;
        if self.reused > 0 {
            tracing::warn!(
                log_code = "OF05-07",
                documents = self.reused,
                order_number = self.reused_by,
                "Ids of earlier orders or documents were used again (the database was restored, or rows were deleted); what \
                 has them now is sent under event ids of its own",
            );
        }
        Ok(())
    }
}
