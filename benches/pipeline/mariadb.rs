//! A shop in a real MariaDB, on the same machine.

use orderfeed_demo_shop::shop::ShopOptions;
use orderfeed_demo_shop::tables::schema::Edition;
use tokio::runtime::Runtime;

use crate::rig::year_of;
use orderfeed_test_support::database::PASSWORD;
use orderfeed_test_support::mariadb::Server;

/// A server with one database in it; both go away with the value.
pub struct MariaShop {
    /// The `[source]` of the configuration: an account that may only read, looked at by polls.
    pub source: String,
    _server: Server,
    _runtime: Runtime,
}

impl MariaShop {
    /// With a history of `orders` orders, which is loaded anew each time.
    pub fn new(orders: usize) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let server = Server::start();
        let url = runtime.block_on(async {
            let database = server.database_with(Edition::Full, "").await;
            database.load(ShopOptions::default(), year_of(orders)).await;
            let user = database.read_only_account().await;
            database.execute("ANALYZE TABLE sales_order").await;
            database.url(&user)
        });
        Ok(Self {
            source: format!(
                "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{url}\"\npassword = \"{PASSWORD}\"\n"
            ),
            _server: server,
            _runtime: runtime,
        })
    }
}
