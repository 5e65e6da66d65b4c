//! Errors of MySQL and MariaDB as sentences with remedies.
//!
//! An error that an administrator must fix is `Misconfigured`; any other may pass by itself. Codes: MySQL's and MariaDB's
//! error references. Messages name account, host and database, never the password.

use std::io;

use mysql_async::{DriverError, Error, IoError, ServerError};
use rustls::CertificateError;

use crate::commerce::grants::grant;
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
    /// The configured number of connections.
    pub(crate) max_connections: usize,
}

/// Returns true if the server refused a connection because the account has too many of them, by its own limit (1226) or by
/// the limit of every account (1203).
pub(crate) fn is_beyond_limit(error: &ServerError) -> bool {
    error.code == 1203 || (error.code == 1226 && error.message.contains("max_user_connections"))
}

/// Returns the reason for which the server's certificate was refused.
pub(crate) fn refused_certificate(error: &Error) -> Option<&CertificateError> {
    // The driver wraps the error of the TLS library in one of I/O.
    let Error::Io(IoError::Io(cause)) = error else {
        return None;
    };
    match cause.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(refused) => Some(refused),
        _ => None,
    }
}

/// Returns false if the certificate was refused for its names or its age.
pub(crate) fn is_about_the_issuer(refused: &CertificateError) -> bool {
    !matches!(
        refused,
        CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }
            | CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
    )
}

impl DatabaseInfo {
    /// Translates an error of the driver. `was_plain` is true if the connection was not encrypted.
    pub(crate) fn explain(&self, error: &Error, was_plain: bool) -> SourceError {
        match error {
            Error::Server(server) => self.explain_server(server, was_plain),
            Error::Io(IoError::Tls(cause)) => self.tls_failed(&cause.to_string(), None),
            Error::Io(IoError::Io(cause)) => match refused_certificate(error) {
                Some(refused) => self.tls_failed(&cause.to_string(), Some(refused)),
                _ if cause.kind() == io::ErrorKind::ConnectionRefused => SourceError::Unavailable {
                    message: format!("connection refused by {} (the database {})", self.address, self.database),
                },
                _ => self.unavailable(&cause.to_string()),
            },
            Error::Driver(DriverError::NoClientSslFlagFromServer) => SourceError::Misconfigured {
                message: format!(
                    "the database at {} does not offer encrypted connections",
                    self.address
                ),
                remedy: "switch TLS on at the server; where plain text is acceptable, set source.mysql.tls.mode = \
                         \"disabled\" and remove source.mysql.tls.ca_file"
                    .into(),
            },
            Error::Driver(DriverError::UnknownAuthPlugin { name }) => self.unsupported_login(name),
            Error::Driver(DriverError::MysqlOldPasswordDisabled) => {
                self.unsupported_login("mysql_old_password")
            }
            Error::Driver(DriverError::CleartextPluginDisabled) => {
                self.unsupported_login("mysql_clear_password")
            }
            other => self.unavailable(&other.to_string()),
        }
    }

    /// Returns the error that the database cannot be used now.
    pub(crate) fn unavailable(&self, cause: &str) -> SourceError {
        SourceError::Unavailable {
            message: format!("the database {} at {}: {cause}", self.database, self.address),
        }
    }

    fn unsupported_login(&self, plugin: &str) -> SourceError {
        SourceError::Misconfigured {
            message: format!(
                "the account '{}' logs in through the plugin {plugin}, which orderfeed does not support",
                self.user
            ),
            remedy: format!(
                "give it a password: ALTER USER '{}'@'<host>' IDENTIFIED BY '…', and set source.mysql.password_file",
                self.user
            ),
        }
    }

    fn tls_failed(&self, cause: &str, refused: Option<&CertificateError>) -> SourceError {
        let remedy = match refused {
            Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
                "connect to a name that the certificate holds (source.mysql.url); for a certificate without names set \
                 source.mysql.tls.mode = \"verify-ca\" and source.mysql.tls.ca_file"
            }
            Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
                "renew the certificate of the database server, or correct the clock of this machine"
            }
            Some(_) => {
                "set source.mysql.tls.ca_file to the certificate of the authority that signed the server's (MySQL writes its \
                 own to ca.pem in its data directory)"
            }
            None => {
                "check that source.mysql.tls.ca_file holds certificates, and the TLS versions of the server"
            }
        };
        SourceError::Misconfigured {
            message: format!("the encrypted connection to {} failed: {cause}", self.address),
            remedy: remedy.into(),
        }
    }

    fn explain_server(&self, error: &ServerError, was_plain: bool) -> SourceError {
        let (user, database) = (&self.user, &self.database);
        let alter = |change: &str| format!("run as an administrator: ALTER USER '{user}'@'<host>' {change}");
        let remedy = match error.code {
            1045 => self.access_denied(error, was_plain),
            // A login through the Unix socket, by auth_socket or unix_socket.
            1698 => format!(
                "the account logs in without a password, through the Unix socket only: create another one with a password \
                 for orderfeed, or name the socket (source.mysql.url = \"mysql://{user}@localhost/{database}?socket=/path\") \
                 and run orderfeed as the system user '{user}'"
            ),
            // The password expired.
            1820 | 1862 => alter("IDENTIFIED BY '…' PASSWORD EXPIRE NEVER, and update source.mysql.password_file"),
            // The account is locked, in MySQL or MariaDB.
            3118 | 4151 => alter("ACCOUNT UNLOCK"),
            // Blocked after too many wrong passwords, in MySQL or MariaDB.
            3955 | 4150 => format!(
                "check source.mysql.password_file; {} (MariaDB: FLUSH PRIVILEGES)",
                alter("ACCOUNT UNLOCK")
            ),
            1129 => "run FLUSH HOSTS (MariaDB) or TRUNCATE performance_schema.host_cache (MySQL) as an administrator, and \
                     find the cause of the failed connections in the server's log"
                .to_owned(),
            3159 if was_plain => {
                "set source.mysql.tls.mode = \"required\", and source.mysql.tls.ca_file if the certificate is signed by an \
                 authority of your own"
                    .to_owned()
            }
            1203 | 1226 if is_beyond_limit(error) => format!(
                "raise MAX_USER_CONNECTIONS of the account at the server, or lower source.mysql.max_connections (now {})",
                self.max_connections
            ),
            1226 => "raise the limit that the message names, or remove it: ALTER USER … WITH … 0".to_owned(),
            1130 => format!("create the account '{user}' for the host that the message names"),
            1044 => format!("grant the account '{user}' its rights on {database}: see docs/SOURCE.md"),
            1049 => "check the database's name in source.mysql.url".to_owned(),
            1142 | 1143 => return self.explain_missing_grant(error),
            1146 => format!(
                "check source.mysql.table_prefix (now \"{}\") and that this is the Commerce database",
                self.prefix
            ),
            1227 | 1370 => format!("grant the account '{user}' the rights that docs/SOURCE.md lists for this capture mode"),
            1419 => "set log_bin_trust_function_creators = 1 at the server, or install the triggers as an account with SUPER"
                .to_owned(),
            1290 | 1836 => "point source.mysql.url at the primary: this server accepts no changes".to_owned(),
            // Everything else (too many connections, shutdown, deadlock) may pass by itself.
            _ => return self.unavailable(&format!("error {}: {}", error.code, error.message)),
        };
        SourceError::Misconfigured {
            message: format!("the database reports: {} (error {})", error.message, error.code),
            remedy,
        }
    }

    /// Returns the remedy for a refused login. The server does not give the reason, so that it can also be a requirement of
    /// the account on the connection.
    fn access_denied(&self, error: &ServerError, was_plain: bool) -> String {
        let requires = match was_plain {
            true => {
                "if the account has REQUIRE SSL: set source.mysql.tls.mode = \"required\", this connection was not encrypted"
            }
            false => {
                "if the account has REQUIRE X509, SUBJECT or ISSUER: change that to REQUIRE SSL, orderfeed presents no \
                 certificate of its own"
            }
        };
        let password = match error.message.contains("using password: NO") {
            true => "set source.mysql.password_file: the login was without a password",
            false => "check the user in source.mysql.url and source.mysql.password_file",
        };
        format!("{password}; {requires}")
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
            // As `doctor` prints it. The server reports the table with its prefix.
            remedy: format!(
                "run as an administrator of the database: {}",
                grant(verb, table, &self.user, &self.database, "")
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
            max_connections: 4,
        }
    }

    fn explain(code: u16, message: &str) -> String {
        let error = ServerError {
            code,
            message: message.into(),
            state: "HY000".into(),
        };
        place().explain(&Error::Server(error), false).to_string()
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
                "the account 'feed' lacks SELECT on the table m2_sales_invoice (error 1142); run as an administrator \
                 of the database: GRANT SELECT ON `shop`.`m2_sales_invoice` TO 'feed'@'%';"
            );
        }
    }

    #[test]
    fn a_refused_connection_names_host_and_port() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let text = place()
            .explain(&Error::Io(IoError::Io(refused)), false)
            .to_string();
        assert_eq!(text, "connection refused by db:3306 (the database shop)");
    }

    #[test]
    fn errors_to_fix_name_the_key_and_any_other_is_an_outage() {
        assert!(explain(1045, "Access denied for user 'feed'@'h'").contains("source.mysql.password_file"));
        assert!(explain(1049, "Unknown database 'shop'").contains("source.mysql.url"));
        assert!(
            explain(1146, "Table 'shop.m2_x' doesn't exist")
                .contains("source.mysql.table_prefix (now \"m2_\")")
        );
        assert!(
            explain(1226, "User 'f' has exceeded the 'max_user_connections' resource").contains("(now 4)")
        );
        assert!(
            explain(1226, "User 'f' has exceeded the 'max_queries_per_hour' resource").contains("WITH … 0")
        );
        assert_eq!(
            explain(1040, "Too many connections"),
            "the database shop at db:3306: error 1040: Too many connections"
        );
    }
}
