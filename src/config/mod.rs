//! What an operator may write: types, layers, validation with messages that name the remedy.

pub mod cron;
mod model;
mod values;

pub use crate::config::cron::CronExpr;
pub use crate::config::model::{
    Admin, Capture, Config, Cron, Delivery, Edge, EdgeAuth, Environment, EnvironmentKeys, EventNames, Events,
    FirstSync, Index, IndexMode, Log, LogFormat, MysqlSource, MysqlTls, OAuth, Privacy, PrivacyProfile,
    Retry, ServicesConnector, Source, SourceKind, SqliteSource, Store, TlsMode, WebSdk, Website, Websites,
};
pub use crate::config::values::{
    AdminListen, ByteSize, DatastreamId, History, HumanDuration, OrganizationId, Unfit,
};
