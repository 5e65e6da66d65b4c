//! The options of `emulator` for a mock of Commerce's REST API, and what it prints about it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use orderfeed_mock_commerce::{
    Ledger, MockCommerce, MockConfig, MockError, MockHandle, PageLimits, RandomFaults, Release,
};

#[derive(Args, Clone, Debug, Default)]
pub struct CommerceArgs {
    /// Serve Commerce's REST API over the file of a shop, such as shop.db in the directory of a demo
    #[arg(long, value_name = "SHOP.db")]
    pub commerce: Option<PathBuf>,
    /// Address of the REST API
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:9446",
        requires = "commerce"
    )]
    pub listen_commerce: Option<SocketAddr>,
    /// Release of Commerce whose differences are played: 2.3, 2.4.4, 2.4.8, newest
    #[arg(long, value_name = "RELEASE", value_parser = parse_release, requires = "commerce")]
    pub commerce_release: Option<Release>,
    /// Time that the REST API takes for an answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, requires = "commerce")]
    pub commerce_latency_ms: u64,
    /// Share of the REST API's answers with a random fault, 0.0 to 1.0
    #[arg(long, value_name = "SHARE", value_parser = parse_share, requires = "commerce")]
    pub commerce_fault_rate: Option<f64>,
    /// Turn on the API's limits: 20 rows a page unless asked for, at most 300
    #[arg(long, requires = "commerce")]
    pub commerce_limits: bool,
}

impl CommerceArgs {
    /// Starts the mock, if a shop is named.
    pub(crate) async fn start(&self) -> Result<Option<MockHandle>, MockError> {
        let Some(shop) = &self.commerce else {
            return Ok(None);
        };
        MockCommerce::start(shop, self.configuration()).await.map(Some)
    }

    fn configuration(&self) -> MockConfig {
        let usual = MockConfig::default();
        MockConfig {
            listen: self.listen_commerce.unwrap_or(usual.listen),
            release: self.commerce_release.unwrap_or(usual.release),
            latency: Duration::from_millis(self.commerce_latency_ms),
            limits: self.commerce_limits.then(PageLimits::default),
            random_faults: self
                .commerce_fault_rate
                .map(|rate| RandomFaults { rate, seed: 0 }),
            // Only counts are printed.
            keep_requests: 0,
            ..usual
        }
    }
}

fn parse_release(text: &str) -> Result<Release, String> {
    let releases = Release::ALL.into_iter();
    releases
        .clone()
        .find(|release| release.as_str() == text)
        .ok_or_else(|| {
            let words: Vec<&str> = releases.map(Release::as_str).collect();
            format!("expected one of {}", words.join(", "))
        })
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number between 0.0 and 1.0".to_owned()),
    }
}

/// Returns the addresses and the credentials, which are valid at the mock only.
pub(crate) fn greeting(mock: &MockHandle) -> String {
    let config = mock.config();
    let (consumer, cloud) = (&config.consumer, &config.cloud);
    format!(
        "commerce {}/rest/all/V1\ncloud    {}/V1\nims      {}\njournal  {}\n\n\
         consumer key         {}\nconsumer secret      {}\naccess token         {}\naccess token secret  {}\n\
         cloud client         {}\ncloud client secret  {}\ncloud organization   {}\n\n",
        mock.url(),
        mock.cloud_url(),
        mock.ims_url(),
        mock.journal_url(),
        consumer.key,
        consumer.secret,
        consumer.token,
        consumer.token_secret,
        cloud.client_id,
        cloud.client_secret,
        cloud.organization,
    )
}

/// Returns the number of requests by path.
pub(crate) fn summary(ledger: &Ledger) -> String {
    let mut text = format!("commerce requests {}\n", ledger.total());
    for (path, requests) in ledger.by_path() {
        text.push_str(&format!("  {path:<28}{requests}\n"));
    }
    text.push_str(&format!(
        "  most in flight at once      {}\n\n",
        ledger.most_in_flight()
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_and_shares_have_their_forms() {
        assert_eq!(parse_release("2.4.8"), Ok(Release::V2_4_8));
        assert_eq!(
            parse_release("2.4"),
            Err("expected one of 2.3, 2.4.4, 2.4.8, newest".to_owned())
        );
        assert_eq!(parse_share("0.5"), Ok(0.5));
        assert!(parse_share("5").is_err());
    }

    #[tokio::test]
    async fn without_a_shop_nothing_starts_and_a_missing_one_is_named() {
        assert!(CommerceArgs::default().start().await.unwrap().is_none());
        let args = CommerceArgs {
            commerce: Some("/nowhere/shop.db".into()),
            ..CommerceArgs::default()
        };
        let error = args.start().await.unwrap_err().to_string();
        assert!(
            error.starts_with("/nowhere/shop.db is not the file of a shop"),
            "{error}"
        );
    }
}
