//! The web pages in a real browser.

pub mod driver;
mod flows;
mod newcomer;
mod pictures;

use crate::web::client::Endpoint;
use crate::web::fixture::{Listen, PASSWORD, Site};

impl Site {
    /// Starts a daemon over TCP with a password, and returns the address of its pages.
    async fn with_password(orders: usize, keys: &str) -> (Self, String) {
        let site = Self::start_with(Listen::Tcp, orders, keys).await;
        site.protect()
    }

    /// Sets the password.
    fn protect(self) -> (Self, String) {
        self.set_password(PASSWORD).ok();
        let Endpoint::Tcp(address) = &self.endpoint else {
            unreachable!()
        };
        let base = format!("http://{address}");
        (self, base)
    }
}
