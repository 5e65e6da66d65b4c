//! A shop with a daemon that serves its web pages.

use std::io::Write;
use std::process::{Command, Stdio};

use orderfeed_emulator::EmulatorHandle;

use crate::support::daemon::{Daemon, Ran, eventually};
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::web::client::{Client, Endpoint};

pub const PASSWORD: &str = "correct horse battery";

/// A daemon with its shop and its edge.
pub struct Site {
    pub edge: EmulatorHandle,
    pub shop: ShopFixture,
    pub endpoint: Endpoint,
    pub daemon: Daemon,
}

/// The kind of `admin.listen`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    Tcp,
    Unix,
}

impl Site {
    /// Starts a daemon with `orders` in the shop's history, and waits until it serves pages.
    pub async fn start(listen: Listen, orders: usize) -> Self {
        Self::start_with(listen, orders, "").await
    }

    /// Starts with further keys of `[admin]`.
    pub async fn start_with(listen: Listen, orders: usize, keys: &str) -> Self {
        let edge = edge::start().await;
        let shop = ShopFixture::new(&edge.server_url(), orders);
        Self::start_shop(edge, shop, listen, keys)
    }

    /// Starts the daemon of a shop.
    pub fn start_shop(edge: EmulatorHandle, shop: ShopFixture, listen: Listen, keys: &str) -> Self {
        let endpoint = match listen {
            Listen::Tcp => Endpoint::Tcp(edge::free_address()),
            Listen::Unix => Endpoint::Unix(shop.installation.path("admin.sock")),
        };
        let address = match &endpoint {
            Endpoint::Tcp(address) => address.to_string(),
            Endpoint::Unix(path) => format!("unix:{}", path.display()),
        };
        let layer = format!("[admin]\nlisten = \"{address}\"\n{keys}");
        shop.installation.layer("admin", &layer);
        let daemon = shop.installation.start();
        let site = Self {
            edge,
            shop,
            endpoint,
            daemon,
        };
        site.answers();
        site
    }

    /// Stops the daemon and starts it again, with a changed command.
    pub fn restart_with(self, change: impl FnOnce(&mut Command)) -> Self {
        assert_eq!(self.daemon.stop(), Some(0));
        let site = Self {
            daemon: self.shop.installation.start_with(change),
            ..self
        };
        site.answers();
        site
    }

    fn answers(&self) {
        let program = Client::program(&self.endpoint);
        eventually("the pages answer", || {
            program
                .send("GET", "/readyz", None)
                .is_some_and(|answer| answer.status == 200)
        });
    }

    /// Waits until the history is at the edge.
    pub fn settle(&self) {
        eventually("the history", || {
            self.edge.unique_ids() > 0 && self.shop.installation.is_settled()
        });
    }

    /// Places orders until one is of this website: some are of a store view that was deleted. Returns its entity id.
    pub fn place_in(&mut self, website: &str) -> i64 {
        let of = "SELECT w.code FROM sales_order o JOIN store s ON s.store_id = o.store_id
                  JOIN store_website w ON w.website_id = s.website_id WHERE o.entity_id = ?1";
        loop {
            let order = self.shop.place();
            let code: Result<String, _> = self.shop.sql().query_row(of, [order], |row| row.get(0));
            if code.is_ok_and(|code| code == website) {
                return order;
            }
        }
    }

    pub fn browser(&self) -> Client {
        Client::browser(&self.endpoint)
    }

    pub fn program(&self) -> Client {
        Client::program(&self.endpoint)
    }

    /// Runs `orderfeed admin set-password` with a password on stdin.
    pub fn set_password(&self, password: &str) -> Ran {
        self.with_stdin(&["admin", "set-password"], &format!("{password}\n"))
    }

    /// Runs a command with a text on stdin.
    pub fn with_stdin(&self, args: &[&str], text: &str) -> Ran {
        let mut command = self.shop.installation.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Returns the states of the senders, as `status --json` prints them.
    pub fn sender_states(&self) -> Vec<String> {
        let status = self.shop.installation.run(&["status", "--json"]).ok();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        let websites = status["websites"].as_array().unwrap().iter();
        websites
            .map(|website| website["sender"]["state"].as_str().unwrap().to_owned())
            .collect()
    }
}
