//! Monitoring: metrics, rules and a dashboard that Prometheus's own tool accepts, a runbook for every alert, log
//! lines compatible with rules for Commerce's export log, and a log level that changes at run time.

mod alerts;
mod daemon;
mod lines;
mod promtool;
