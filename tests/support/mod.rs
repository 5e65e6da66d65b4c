//! Code shared by the tests: the real binary with its daemon, an embedded shop, the admin endpoint, golden files, and
//! a disk that fails on request. Databases, the edge and the oracle are in `orderfeed_test_support`.

pub mod admin;
pub mod daemon;
pub mod disk;
pub mod embedded;
pub mod golden;
pub mod served;

pub use orderfeed_test_support::{database, edge, leaks, network, oracle, product, proxy, server};

/// Defines for each function of the list one test on MariaDB and one on MySQL, `NAME::on_mariadb` and `NAME::on_mysql`.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            use crate::support::{on_server, product::Product};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_mariadb() {
                on_server(Product::MariaDb, super::$test).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_mysql() {
                on_server(Product::MySql, super::$test).await;
            }
        }
    )+};
}

pub(crate) use on_each_server;

/// Runs a test on the shared server of `product`, or logs that it is skipped.
pub async fn on_server(product: product::Product, test: impl AsyncFnOnce(&'static server::Server)) {
    match server::Server::shared_of(product) {
        Some(server) => test(server).await,
        None => daemon::say("skipped: there is no MySQL; tests/run fetches it, or set MYSQLD"),
    }
}
