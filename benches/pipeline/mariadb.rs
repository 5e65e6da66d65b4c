//! A shop in a real MariaDB on the same machine.

use orderfeed_demo_shop::shop::ShopOptions;
use orderfeed_demo_shop::tables::schema::Edition;
use tokio::runtime::Runtime;

use crate::fixture::year_of;
use orderfeed_test_support::database::PASSWORD;
use orderfeed_test_support::server::Server;

/// A server with one database. Both are removed on drop.
pub struct MariaShop {
    /// The `[source]` section of the configuration: a read-only account, polled.
    pub source: String,
    _server: Server,
    _runtime: Runtime,
}

impl MariaShop {
    /// Creates a shop with a history of `orders` orders, loaded each time.
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
