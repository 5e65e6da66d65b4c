//! The configuration: keys and their types, layers, validation, and messages that name the remedy.
//!
//! ```text
//! defaults ─┐
//! file ─────┤ layer: keys, types, lines   merge      sections: forms, ranges, rules   secret: files
//! conf.d ───┤────────────────────────────▶───────▶─────────────────────────────────▶───────────────▶ LoadedConfig
//! saved ────┤                                                                                        or ConfigErrors
//! env ──────┘
//! ```
//!
//! Each layer is read on its own first, because only there an unknown key or a wrong type has a line; then the layers are
//! merged key by key, and every value keeps its [`Origin`]. Building the typed [`Config`] is pure and continues after a
//! problem, so that an operator gets all of them at once. Only `load`, `overlay` and `secret` read files.
//!
//! A new key is one line in `sections` and its commented line in `config/orderfeed.toml`.
//!
//! | module | content |
//! |---|---|
//! | `sections` | every key: its type, range and reader, and the rules between keys |
//! | `fields` | the macro and the field types that `sections` declares keys with |
//! | `schema` | the list of keys that `sections` amounts to, and the search in it |
//! | `layer`, `merge` | one layer; all layers merged |
//! | `reader` | access to the merged settings, and the list of problems |
//! | `secret` | secrets, certificates and file permissions |
//! | [`shop`] | the names, files and defaults of several shops on one host |
//! | `overlay`, `edit` | the settings saved on the web pages, and changes of them |
//! | `load` | all of the above in order |
//! | `values`, [`cron`] | the types of values |
//! | `reference`, `shown` | the documentation page; the settings in force, for display |
//! | `problem` | messages and origins |

pub mod cron;
mod edit;
mod fields;
mod layer;
mod load;
mod merge;
mod overlay;
mod problem;
mod reader;
mod reference;
mod schema;
mod secret;
mod sections;
pub mod shop;
mod shown;
mod values;

pub use crate::config::cron::CronExpr;
pub use crate::config::edit::{EditedSettings, SettingChange, edit_settings};
pub use crate::config::load::{LoadedConfig, load, load_without_secrets, process_environment};
pub(crate) use crate::config::problem::nearest;
pub use crate::config::problem::{ConfigErrors, ConfigProblem, Origin};
pub use crate::config::reference::reference;
pub use crate::config::schema::FIXED;
pub use crate::config::sections::{
    Admin, CaptureMode, Config, Cron, Delivery, Edge, EdgeAuth, Environment, EnvironmentKeys, EventNames,
    Events, FirstSync, GivenStoreView, Index, IndexMode, Log, LogFormat, MysqlConfig, MysqlTls, OAuth,
    Privacy, PrivacyProfile, RestAuth, RestConfig, RestIms, RestJournal, RetryConfig, ServicesConnector,
    SourceConfig, SourceKind, SqliteConfig, StoreConfig, Storefront, StorefrontConsent, StorefrontMode,
    StorefrontState, TlsMode, Verify, WebSdk, Website, Websites,
};
pub use crate::config::shown::EffectiveSetting;
pub use crate::config::values::{
    AdminListen, ByteSize, DatastreamId, History, HttpProxy, HumanDuration, InvalidValue, MysqlUrl,
    OrganizationId, TablePrefix,
};
