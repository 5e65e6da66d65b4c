//! The shop's store views, for the storefront.

use crate::commerce::mysql::MysqlSource;
use crate::commerce::source::SourceError;
use crate::commerce::stores::{self, ShopSettings, ShopStoreView};

impl MysqlSource {
    /// Reads the store views, and the shop's settings if the account may read them.
    pub(super) async fn list_store_views(&self) -> Result<Vec<ShopStoreView>, SourceError> {
        let mut session = self.connector.session().await?;
        let inspected = self.inspected(&mut session).await?;
        let queries = &inspected.queries;
        let (mut views, mut settings) = (Vec::new(), ShopSettings::default());
        session
            .rows(&queries.described_store_views(), |mut row| {
                views.extend(stores::view_of(&mut row))
            })
            .await?;
        let read = session
            .rows(&queries.store_settings(), |mut row| settings.add_row(&mut row))
            .await;
        match read {
            // The right to read this table is optional, because it also holds settings that concern nothing here.
            Ok(()) | Err(SourceError::Misconfigured { .. }) => {}
            Err(error) => return Err(error),
        }
        views.iter_mut().for_each(|view| settings.complete(view));
        Ok(views)
    }
}
