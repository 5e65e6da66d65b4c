//! The rights that orderfeed's database accounts need, as the statements that an administrator runs.

use crate::commerce::changes::watched::{CHANGELOG, LOG};
use crate::commerce::read::tables::SourceTable;
use crate::config::CaptureMode;

/// The tables beside those of the orders: websites and stores, and the labels of return reasons (Adobe Commerce edition).
pub(crate) const LOOKUPS: [&str; 6] = [
    "store",
    "store_group",
    "store_website",
    "magento_rma_item_entity_int",
    "eav_attribute",
    "eav_attribute_option_value",
];

/// Returns the grants that the daemon's account needs. A statement for a table that the instance does not have (returns
/// exist only in the Adobe Commerce edition) fails with error 1146 and can be left out.
pub fn grants(capture: CaptureMode, user: &str, database: &str, prefix: &str) -> Vec<String> {
    let tables = SourceTable::specs().map(|spec| spec.table).chain(LOOKUPS);
    let grant = |rights: &str, table: &str| grant(rights, table, user, database, prefix);
    let mut grants: Vec<_> = tables.map(|table| grant("SELECT", table)).collect();
    match capture {
        CaptureMode::Poll => {}
        CaptureMode::Changelog => grants.push(grant("SELECT", CHANGELOG)),
        // DELETE clears the log once its changes are stored.
        CaptureMode::Triggers => grants.push(grant("SELECT, DELETE", LOG)),
    }
    grants
}

/// Returns the statement that grants `rights` on one table.
pub(crate) fn grant(rights: &str, table: &str, user: &str, database: &str, prefix: &str) -> String {
    format!("GRANT {rights} ON `{database}`.`{prefix}{table}` TO '{user}'@'%';")
}

/// Returns the additional grants of the account that installs, checks and removes the triggers. Triggers run with its
/// rights as long as they exist, so it must not be dropped before them. With binary logging the server also requires
/// `log_bin_trust_function_creators = 1` or an account with SUPER.
pub fn installer_grants(user: &str, database: &str, prefix: &str) -> Vec<String> {
    let on = |rights: &str, table: &str| grant(rights, table, user, database, prefix);
    let mut grants = vec![on("CREATE, DROP, SELECT, INSERT, DELETE", LOG)];
    grants.extend(SourceTable::specs().map(|spec| on("SELECT, TRIGGER", spec.table)));
    // Read like the core tables, to recognize a Commerce database.
    let stores = LOOKUPS.into_iter().filter(|table| table.starts_with("store"));
    grants.extend(stores.map(|table| on("SELECT", table)));
    grants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_needs_select_and_nothing_else() {
        let statements = grants(CaptureMode::Poll, "feed", "shop", "m2_");
        assert_eq!(
            statements[0],
            "GRANT SELECT ON `shop`.`m2_sales_order` TO 'feed'@'%';"
        );
        assert!(
            statements
                .iter()
                .all(|statement| statement.starts_with("GRANT SELECT ON "))
        );
    }

    #[test]
    fn the_documentation_lists_every_grant() {
        let text = include_str!("../../docs/SOURCE.md").replace("<host>", "%");
        for capture in [CaptureMode::Poll, CaptureMode::Changelog, CaptureMode::Triggers] {
            for statement in grants(capture, "orderfeed", "magento", "") {
                assert!(text.contains(&statement), "{statement}");
            }
        }
    }
}
