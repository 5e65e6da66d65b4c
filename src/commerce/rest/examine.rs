//! The checks of `doctor`: every permission at once, where capture stops at the first that is missing.

use crate::commerce::changes::window::WindowCursor;
use crate::commerce::examination::{Examination, MissingKind, MissingObject, Protection, TablePosition};
use crate::commerce::read::cells::{MICROS, moment};
use crate::commerce::rest::RestSource;
use crate::commerce::rest::describe::PRODUCT;
use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::fields;
use crate::commerce::rest::list::List;
use crate::commerce::rest::map::row::{number, text};
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::{Direction, Search};
use crate::commerce::source::{Cursors, SourceError};

impl RestSource {
    /// Checks everything that capture and reading need. `cursors` are the stored positions.
    pub async fn examine(&self, cursors: &Cursors) -> Result<Examination, SourceError> {
        let mut found = Examination {
            product: PRODUCT.to_owned(),
            protection: Some(self.protection()),
            ..Examination::default()
        };
        for list in List::ALL {
            match self.newest(list).await {
                Ok(newest) => found
                    .positions
                    .extend(position(list, cursors, newest, self.client.now().0)),
                Err(Failure::NoRoute { .. }) if list == List::Returns => found.missing.push(MissingObject {
                    table: list.path().to_owned(),
                    what: MissingKind::Table,
                    needed: false,
                    effect: Some("returns are not sent"),
                    grant: None,
                }),
                Err(Failure::Refused { message, .. }) if message.contains("authorized") => {
                    found.missing.push(missing(list, &message));
                }
                Err(Failure::TooSlow { .. }) => found.slow.push(list.table().spec().table),
                Err(Failure::Poisoned { .. }) => {}
                Err(failure) => return Err(source_error(failure)),
            }
        }
        if found.missing.iter().all(|missing| !missing.needed) {
            found.fingerprint = self.fingerprint().await?;
            let tree = self.lookups.read_tree(&self.client, Lane::Live).await?;
            found.websites = tree.websites().to_vec();
        }
        if let Some(version) = self.client.version().await {
            found.product = format!("{PRODUCT} of {version}");
        }
        let server = self.client.server();
        found.database_time = server.skew_ms.map(|_| self.client.now());
        if let Some(most) = server.most_rows {
            found.notes.push(format!("The shop limits pages to {most} rows."));
        }
        Ok(found)
    }

    fn protection(&self) -> Protection {
        match self.client.base().scheme() {
            // The configuration allows plain text to this host only.
            "http" => Protection::Local { is_encrypted: false },
            _ => Protection::Verified,
        }
    }

    /// Returns the newest row of a list: key and time.
    async fn newest(&self, list: List) -> Result<Option<(i64, Option<i64>)>, Failure> {
        let by = match list {
            List::Transactions | List::Returns => list.key(),
            _ => "updated_at",
        };
        let search = Search::new(1, fields::marks(list)).sort(by, Direction::Descending);
        let page = self.client.page(Lane::Live, list, &search).await?;
        let row = page.rows.first();
        Ok(row.and_then(|row| {
            let at = text(row, "updated_at").and_then(|at| moment(at.as_bytes()));
            Some((number(row, list.key())?, at.map(|at| at.0.div_euclid(1000))))
        }))
    }
}

fn missing(list: List, message: &str) -> MissingObject {
    // The answer names the resource that this version demands.
    let named = message.split_whitespace().find(|word| word.contains("Magento_"));
    let resource = named.map_or(list.resource(), |word| word.trim_end_matches('.'));
    MissingObject {
        table: list.path().to_owned(),
        what: MissingKind::Permission,
        needed: true,
        effect: None,
        grant: Some(format!(
            "System > Extensions > Integrations > API, select {resource}; usually {}",
            list.resource()
        )),
    }
}

fn position(
    list: List,
    cursors: &Cursors,
    newest: Option<(i64, Option<i64>)>,
    now: i64,
) -> Option<TablePosition> {
    let table = list.table().spec().table;
    let (id, at) = newest?;
    let cursor = WindowCursor::parse(cursors.0.get(table)?, at.is_some())?;
    Some(match (cursor.front.at, at) {
        (Some(front), Some(at)) => {
            TablePosition::by_time(table, front.div_euclid(MICROS), at, now.div_euclid(1000))
        }
        _ => TablePosition::by_key(table, cursor.front.id, id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_names_the_resource_that_the_shop_names() {
        let missing = missing(
            List::Invoices,
            "the shop refuses a request: The consumer isn't authorized to access Magento_Sales::sales.",
        );
        let grant = missing.grant.unwrap();
        assert!(grant.contains("select Magento_Sales::sales;"), "{grant}");
        assert!(grant.contains("Operations > Invoices"), "{grant}");
    }
}
