//! From settings to the typed [`Config`]: forms, ranges, and the rules that hold between keys. Pure:
//! it reads no file; secrets and certificates are looked at afterwards.

mod connector;
mod daemon;
mod delivery;
mod edge;
mod source;
mod websites;

use crate::config::model::Config;
use crate::config::reader::Reader;

/// Builds the whole configuration. What did not fit is in the reader's problems, and stands as its default here.
pub(crate) fn config(reader: &mut Reader<'_>) -> Config {
    let services_connector = connector::services_connector(reader);
    let edge = edge::edge(reader);
    let source = source::source(reader);
    let web_sdk = websites::web_sdk(reader);
    let websites = websites::websites(reader, &web_sdk);
    Config {
        services_connector,
        edge,
        source,
        web_sdk,
        websites,
        index: daemon::index(reader),
        cron: daemon::cron(reader),
        first_sync: daemon::first_sync(reader),
        verify: daemon::verify(reader),
        delivery: delivery::delivery(reader),
        privacy: delivery::privacy(reader),
        events: delivery::events(reader),
        store: daemon::store(reader),
        log: daemon::log(reader),
        admin: daemon::admin(reader),
    }
}
