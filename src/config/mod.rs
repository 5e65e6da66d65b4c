//! What an operator may write: types, layers, validation with messages that name the remedy.
//!
//! ```text
//! defaults ─┐
//! file ─────┤ layer: keys, types, lines   merge      build: forms, ranges, rules   secret: files
//! conf.d ───┤────────────────────────────▶───────▶──────────────────────────────▶───────────────▶ Loaded
//! env ──────┘                                                                                     or ConfigErrors
//! ```
//!
//! Each layer is read on its own first, because only there an unknown key or a wrong type has a line; the crate
//! `config` then lays the layers over each other, and every value keeps its [`Origin`]. Building is pure and goes
//! on after a problem, so that an operator sees all of them at once. Only loading and reading secrets touch files.
//!
//! | file | question |
//! |---|---|
//! | `schema` | which keys exist, with which type and range |
//! | `layer` | what does one file or the environment say, and where |
//! | `merge` | what is in force |
//! | `build` | is it right, and what does it mean |
//! | `secret` | what do the files say that it names |
//! | `model`, `values`, [`cron`] | what the rest of the house is given |
//! | `reference` | what does the documentation say of every key |
//! | `shown` | what an operator may see of it |

mod build;
pub mod cron;
mod layer;
mod load;
mod merge;
mod model;
mod problem;
mod reader;
mod reference;
mod schema;
mod secret;
mod shown;
mod values;

pub use crate::config::cron::CronExpr;
pub use crate::config::load::{Loaded, load, process_environment};
pub use crate::config::model::{
    Admin, Capture, Config, Cron, Delivery, Edge, EdgeAuth, Environment, EnvironmentKeys, EventNames, Events,
    FirstSync, Index, IndexMode, Log, LogFormat, MysqlSource, MysqlTls, OAuth, Privacy, PrivacyProfile,
    Retry, ServicesConnector, Source, SourceKind, SqliteSource, Store, TlsMode, Verify, WebSdk, Website,
    Websites,
};
pub use crate::config::problem::{ConfigErrors, Origin, Problem, Warning};
pub use crate::config::reference::reference;
pub use crate::config::schema::FIXED;
pub use crate::config::shown::Shown;
pub use crate::config::values::{
    AdminListen, ByteSize, DatastreamId, History, HumanDuration, OrganizationId, Unfit,
};
