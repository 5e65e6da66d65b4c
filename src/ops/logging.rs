//! The log.

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is not one.
    #[error("log.level {level:?} is not a filter: {cause}")]
    BadLevel {
        /// What was written.
        level: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// stub
pub fn init(_log: &crate::config::Log) -> Result<(), LoggingError> { tracing_subscriber::fmt().with_writer(std::io::stderr).init(); Ok(()) }
