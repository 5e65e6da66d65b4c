//! Errors of MySQL and MariaDB as sentences with remedies.
//!
//! An error that an administrator must fix is `Misconfigured`; any other may pass by itself. Codes: MySQL's and MariaDB's
//! error references. Messages name account, host and database, never the password.

use mysql_async::{DriverError, Error, IoError, ServerError};

use crate::commerce::source::SourceError;

/// The account and the database, for messages.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseInfo {
    pub(crate) user: String,
    /// `host:port`, or the path of the socket.
    pub(crate) address: String,
    pub(crate) database: String,
    /// The prefix of table names.
    pub(crate) prefix: String,
}

impl DatabaseInfo {
    /// Translates an error of the driver.
    pub(crate) fn explain(&self, error: &Error) -> SourceError {
        match error {
            Error::Server(server) => self.explain_server(server),
            Error::Io(IoError::Tls(cause)) => self.tls_failed(&cause.to_string()),
            Error::Driver(DriverError::NoClientSslFlagFromServer) => SourceError::Misconfigured {
                message: format!(
                    "the database at {} does not offer encrypted connections",
                    self.address
                ),
                remedy:
                    "switch TLS on at the server, or set source.mysql.tls.mode = \"preferred\" or \"disabled\""
                        .into(),
            },
            Error::Io(IoError::Io(cause)) => match cause.get_ref().and_then(|inner| inner.downcast_ref()) {
                // The driver wraps the error of the TLS library in one of I/O.
                Some(rustls::Error::InvalidCertificate(_)) => self.tls_failed(&cause.to_string()),
                _ => self.unavailable(&cause.to_string()),
            },
            other => self.unavailable(&other.to_string()),
        }
    }

    /// Returns the error that the database cannot be used now.
    pub(crate) fn unavailable(&self, cause: &str) -> SourceError {
        SourceError::Unavailable {
            message: format!("the database {} at {}: {cause}", self.database, self.address),
        }
    }

    fn tls_failed(&self, cause: &str) -> SourceError {
        SourceError::Misconfigured {
            message: format!("the encrypted connection to {} failed: {cause}", self.address),
            remedy: "check source.mysql.tls.ca_file and that the server's certificate names this host".into(),
        }
    }

    fn explain_server(&self, error: &ServerError) -> SourceError {
        let (user, database) = (&self.user, &self.database);
        let remedy = match error.code {
            // Access denied, by password or by plugin; the password expired or the account is locked.
            1045 | 1698 | 1820 | 1862 | 3118 | 4151 => {
                "check the user in source.mysql.url and source.mysql.password_file".to_owned()
            }
            1130 => format!("create the account '{user}' for the host that the message names"),
            1044 => format!("grant the account '{user}' its rights on {database}: see docs/SOURCE.md"),
            1049 => "check the database's name in source.mysql.url".to_owned(),
            1142 | 1143 => return self.explain_missing_grant(error),
            1146 => format!(
                "check source.mysql.table_prefix (now \"{}\") and that this is the Commerce database",
                self.prefix
            ),
            1227 | 1370 => format!("grant the account '{user}' the rights that docs/SOURCE.md lists for this capture mode"),
            1419 => "set log_bin_trust_function_creators = 1 at the server, or install the triggers as a privileged account".to_owned(),
            1290 | 1836 => "point source.mysql.url at the primary: this server accepts no changes".to_owned(),
            // Everything else (too many connections, shutdown, deadlock) may pass by itself.
            _ => return self.unavailable(&format!("error {}: {}", error.code, error.message)),
        };
        SourceError::Misconfigured {
            message: format!("the database reports: {} (error {})", error.message, error.code),
            remedy,
        }
    }

    /// Translates 1142: `SELECT command denied to user 'u'@'h' for table `db`.`t``; MySQL writes only `'t'`.
    fn explain_missing_grant(&self, error: &ServerError) -> SourceError {
        // The message starts with the missing right.
        let verb = error.message.split_whitespace().next().unwrap_or("SELECT");
        let table = last_quoted(&error.message).unwrap_or_else(|| "*".to_owned());
        let table = table.rsplit('.').next().unwrap_or("*");
        SourceError::Misconfigured {
            message: format!(
                "the account '{}' lacks {verb} on the table {table} (error {})",
                self.user, error.code
            ),
            remedy: format!(
                "run as an administrator: GRANT {verb} ON `{}`.`{table}` TO '{}'@'<host>'",
                self.database, self.user
            ),
        }
    }
}

fn last_quoted(message: &str) -> Option<String> {
    let after = message.rsplit_once("for table ")?.1;
    Some(after.chars().filter(|c| !matches!(c, '`' | '\'' | '"')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> DatabaseInfo {
        DatabaseInfo {
            user: "feed".into(),
            address: "db:3306".into(),
            database: "shop".into(),
            prefix: "m2_".into(),
        }
    }

    fn explain(code: u16, message: &str) -> String {
        let error = ServerError {
            code,
            message: message.into(),
            state: "HY000".into(),
        };
        place().explain(&Error::Server(error)).to_string()
    }

    #[test]
    fn a_missing_grant_names_the_table_and_the_statement() {
        for table in ["`shop`.`m2_sales_invoice`", "'m2_sales_invoice'"] {
            let text = explain(
                1142,
                &format!("SELECT command denied to user 'feed'@'10.0.0.9' for table {table}"),
            );
            assert_eq!(
                text,
                "the account 'feed' lacks SELECT on the table m2_sales_invoice (error 1142); run as an administrator: \
                 GRANT SELECT ON `shop`.`m2_sales_invoice` TO 'feed'@'<host>'"
            );
        }
    }

    #[test]
    fn errors_to_fix_name_the_key_and_any_other_is_an_outage() {
        assert!(explain(1045, "Access denied for user 'feed'@'h'").contains("source.mysql.password_file"));
        assert!(explain(1049, "Unknown database 'shop'").contains("source.mysql.url"));
        assert!(
            explain(1146, "Table 'shop.m2_x' doesn't exist")
                .contains("source.mysql.table_prefix (now \"m2_\")")
        );
        assert_eq!(
            explain(1040, "Too many connections"),
            "the database shop at db:3306: error 1040: Too many connections"
        );
    }
}
