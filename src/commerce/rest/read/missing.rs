//! Orders that a list does not return. Commerce cannot delete an order, but statements and extensions can; and a list may
//! leave one out. Only the answer to a request for that one order counts, and only when it is repeated minutes later.

use serde_json::Value;
use tokio::time::Instant;

use crate::commerce::rest::RestSource;
use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::fields;
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::Query;
use crate::commerce::source::SourceError;
use orderfeed_model::order::OrderId;

/// Orders that may be missing at once. More are no deletions: the credentials see less than before.
const MANY: usize = 20;

/// The result of a request for a single order.
pub(super) enum Single {
    Found(Box<Value>),
    /// It does not exist, by one answer.
    Suspected,
    /// It does not exist, by two answers minutes apart.
    Deleted,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

impl RestSource {
    /// Requests an order that a list did not return.
    pub(super) async fn single(&self, lane: Lane, id: OrderId) -> Result<Single, SourceError> {
        let path = format!("orders/{id}");
        match self
            .client
            .get(lane, &path, &Query::of_fields(&fields::single_order()))
            .await
        {
            Ok(order) if order.get("entity_id").is_some() => {
                self.suspicions.clear(id);
                Ok(Single::Found(Box::new(order)))
            }
            Ok(_) => Ok(Single::Unreadable(
                "the shop answered without the order".to_owned(),
            )),
            Err(Failure::NoEntity) => Ok(match self.suspicions.record(id, Instant::now()) {
                true => Single::Deleted,
                false => Single::Suspected,
            }),
            Err(failure) => match failure.of_a_part() {
                Some(reason) => Ok(Single::Unreadable(reason.to_owned())),
                None => Err(source_error(failure)),
            },
        }
    }

    /// Returns those of these orders, which no list returns, that are deleted.
    ///
    /// # Errors
    /// `Misconfigured` if too many are missing at once.
    pub(in crate::commerce::rest) async fn proven_deleted(
        &self,
        ids: &[OrderId],
    ) -> Result<Vec<OrderId>, SourceError> {
        check_number(ids.len(), ids.len())?;
        let mut deleted = Vec::new();
        for &id in ids {
            if let Single::Deleted = self.single(Lane::History, id).await? {
                deleted.push(id);
            }
        }
        Ok(deleted)
    }
}

/// Refuses to treat many orders as deleted.
pub(super) fn check_number(missing: usize, of: usize) -> Result<(), SourceError> {
    if missing <= MANY {
        return Ok(());
    }
    Err(SourceError::Misconfigured {
        message: format!("{missing} of {of} orders that were there before are missing from the shop's lists"),
        remedy: "check whether the credentials still cover all websites (an Admin role limited to one sees only its orders), and \
                 whether the shop was restored or replaced; nothing is treated as deleted meanwhile"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_missing_orders_are_no_deletions() {
        assert!(check_number(MANY, 50).is_ok());
        assert!(matches!(
            check_number(MANY + 1, 50),
            Err(SourceError::Misconfigured { .. })
        ));
    }
}
