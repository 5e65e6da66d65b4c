//! Finding changes: the watched tables, the window over late commits, and the triggers. Pure.

pub(crate) mod results;
pub mod triggers;
pub(crate) mod watched;
pub(crate) mod window;

/// Logs that a window starts again because the clock of the source went back.
pub(crate) fn log_clock_went_back(table: &str, database_time: &str) {
    tracing::warn!(
        log_code = "OF03-03",
        table,
        database_time,
        "the database's clock went back to before the newest rows read (a failover, or the clock was set); capture reads the \
         last minutes again"
    );
}
