//! The rights of the account that installs the triggers, checked before it creates anything: half of the triggers would
//! record half of the changes, and a trigger whose account may not write the log would make every save of an order fail.

use std::collections::BTreeSet;

use crate::commerce::changes::triggers::TriggerSet;
use crate::commerce::changes::watched::LOG;
use crate::commerce::mysql::MysqlSource;
use crate::commerce::mysql::session::MysqlSession;
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::source::SourceError;

/// The error "INSERT command denied to user".
const DENIED: u16 = 1142;
/// The error of a trigger that an account without SUPER creates on a server with binary logging.
const BINARY_LOGGING: u16 = 1419;

/// The right TRIGGER of an account.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TriggerRights {
    /// True if it covers the whole database, or if a role may cover it.
    everywhere: bool,
    /// Tables with prefix.
    tables: BTreeSet<String>,
}

impl TriggerRights {
    /// Returns the rights of the session's account.
    pub(crate) async fn read(session: &mut MysqlSession<'_>) -> Result<Self, SourceError> {
        let mut rights = Self::default();
        session
            .rows("SHOW GRANTS", |row| {
                rights.add(&cells::text(row.cell(0)).unwrap_or_default())
            })
            .await?;
        Ok(rights)
    }

    /// Returns true if the account may see triggers: without the right, the server lists none.
    pub(crate) fn any(&self) -> bool {
        self.everywhere || !self.tables.is_empty()
    }

    fn add(&mut self, grant: &str) {
        let Some((rights, target)) = grant.split_once(" ON ") else {
            // The grant of a role, whose rights are not listed.
            self.everywhere |= grant.starts_with("GRANT ");
            return;
        };
        if !rights.contains("TRIGGER") && !rights.contains("ALL PRIVILEGES") {
            return;
        }
        let target = target.split(" TO ").next().unwrap_or_default().replace('`', "");
        match target.rsplit_once('.') {
            Some((_, "*")) | None => self.everywhere = true,
            Some((_, table)) => {
                self.tables.insert(table.to_owned());
            }
        }
    }
}

impl MysqlSource {
    /// # Errors
    /// `Misconfigured` with everything that the account lacks.
    pub(super) async fn check_installer(
        &self,
        session: &mut MysqlSession<'_>,
        set: &TriggerSet,
    ) -> Result<(), SourceError> {
        let log = set.log_table();
        // Refused in any case, because there is no such table. The server checks its binary log first.
        let probe = format!(
            "CREATE TRIGGER `trg_orderfeed_probe` AFTER INSERT ON `{log}_absent` FOR EACH ROW SET @orderfeed = 1"
        );
        if session.refusal(&probe).await? == Some(BINARY_LOGGING) {
            return Err(SourceError::Misconfigured {
                message: format!(
                    "the server logs changes in its binary log, and the account '{}' may not create triggers there (error \
                     {BINARY_LOGGING}); nothing was created",
                    self.settings.url.user
                ),
                remedy: "run as an administrator: SET GLOBAL log_bin_trust_function_creators = 1, and set it in the server's \
                         configuration too; or install the triggers as an account with SUPER"
                    .to_owned(),
            });
        }
        let rights = TriggerRights::read(session).await?;
        let lacks = |table: &&str| !rights.everywhere && !rights.tables.contains(*table);
        let prefix = self.settings.table_prefix.as_str();
        let watched: BTreeSet<&str> = set
            .triggers()
            .iter()
            .map(|trigger| trigger.table.as_str())
            .collect();
        let mut grants: Vec<String> = watched
            .into_iter()
            .filter(lacks)
            .map(|table| self.grant("SELECT, TRIGGER", table.strip_prefix(prefix).unwrap_or(table)))
            .collect();
        // The triggers write to the log with the rights of this account, whether the table exists or not.
        let insert = format!("EXPLAIN INSERT INTO `{log}` () VALUES ()");
        if session.refusal(&insert).await? == Some(DENIED) {
            grants.push(self.grant("CREATE, DROP, SELECT, INSERT, DELETE", LOG));
        }
        if grants.is_empty() {
            return Ok(());
        }
        Err(SourceError::Misconfigured {
            message: format!(
                "the account '{}' lacks rights to install the triggers; nothing was created",
                self.settings.url.user
            ),
            remedy: format!("run as an administrator: {}", grants.join(" ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(grants: &[&str]) -> TriggerRights {
        let mut rights = TriggerRights::default();
        for grant in grants {
            rights.add(grant);
        }
        rights
    }

    #[test]
    fn rights_are_those_of_tables_of_the_database_or_of_a_role() {
        let usage = "GRANT USAGE ON *.* TO `f`@`%` IDENTIFIED BY PASSWORD '*A'";
        assert!(!rights(&[usage, "GRANT SELECT ON `shop`.`sales_order` TO `f`@`%`"]).any());
        let one = rights(&[
            usage,
            "GRANT SELECT, TRIGGER ON `shop`.`m2_sales_order` TO `f`@`%`",
        ]);
        assert!(
            !one.everywhere && one.tables.contains("m2_sales_order"),
            "{one:?}"
        );
        for all in [
            "GRANT ALL PRIVILEGES ON *.* TO `f`@`%` WITH GRANT OPTION",
            "GRANT SELECT, TRIGGER ON `sh\\_op`.* TO `f`@`%`",
            "GRANT `reader`@`%` TO `f`@`%`",
        ] {
            assert!(rights(&[usage, all]).everywhere, "{all}");
        }
    }
}
