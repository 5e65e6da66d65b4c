//! What those who watch the daemon rely on: metrics, rules and dashboard that Prometheus's own tool accepts, runbooks for
//! every alert, log lines that rules for Commerce's export log understand, and a level that changes at run time.

mod alerts;
mod daemon;
mod lines;
mod promtool;
