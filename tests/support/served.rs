//! A shop in a MariaDB of its own, and a daemon that has sent the shop's history.

use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::ShopOptions;
use orderfeed_emulator::EmulatorHandle;

use crate::support::daemon::{Daemon, Installation, eventually, now};
use crate::support::database::Database;
use crate::support::edge;
use crate::support::server::Server;

/// A shop in MariaDB with a daemon that has sent its history.
pub struct Served {
    pub server: Server,
    pub database: Database,
    pub edge: EmulatorHandle,
    pub installation: Installation,
    pub daemon: Daemon,
}

impl Served {
    /// Starts with a history of `orders`. `port` returns the port that the daemon connects to.
    pub async fn start(orders: usize, port: impl FnOnce(&Server) -> u16) -> Self {
        Self::start_with(orders, "", port).await
    }

    /// Starts with a history of `orders` and a layer of configuration.
    pub async fn start_with(orders: usize, layer: &str, port: impl FnOnce(&Server) -> u16) -> Self {
        let server = Server::start();
        let database = server.database().await;
        let to = now();
        let span = Span {
            orders,
            from: to.plus_millis(-30 * 86_400_000),
            to,
        };
        database.load(ShopOptions::default(), span).await;
        let edge = edge::start().await;
        let url = database
            .url("admin")
            .replace(&format!(":{}/", server.port()), &format!(":{}/", port(&server)));
        let installation = Installation::new(&edge::config(&edge.server_url(), &source(&url)));
        installation.layer("test", layer);
        let daemon = installation.start();
        eventually("the history", || {
            edge.unique_ids() > 0 && installation.is_settled()
        });
        Self {
            server,
            database,
            edge,
            installation,
            daemon,
        }
    }
}

/// Returns the configuration of the database at `url` as the source.
pub fn source(url: &str) -> String {
    format!("[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{url}\"\n")
}
