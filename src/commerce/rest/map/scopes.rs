//! Websites, stores and store views, from three plain lists.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::commerce::read::assemble::Assembly;
use crate::commerce::rest::map::row::{Cells, number, objects, text};
use crate::commerce::stores::ShopStoreView;

/// The store views of a shop with the codes of their websites and stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreTree {
    /// Store id, and the codes of website, store and store view.
    views: Vec<(i64, [String; 3])>,
    websites: Vec<String>,
    website_ids: BTreeMap<String, i64>,
}

impl StoreTree {
    /// Joins the answers of `store/storeViews`, `store/storeGroups` and `store/websites`.
    pub(crate) fn join(views: &Value, groups: &Value, websites: &Value) -> Self {
        let codes = |list: &Value| -> HashMap<i64, String> {
            objects(Some(list))
                .into_iter()
                .filter_map(|entry| Some((number(entry, "id")?, text(entry, "code")?)))
                .collect()
        };
        let (groups, websites) = (codes(groups), codes(websites));
        let view = |view: &Value| {
            let website = websites.get(&number(view, "website_id")?)?;
            let group = groups.get(&number(view, "store_group_id")?)?;
            let codes = [website.clone(), group.clone(), text(view, "code")?];
            Some((number(view, "id")?, codes))
        };
        let views = objects(Some(views)).into_iter().filter_map(view).collect();
        let website_ids = websites.iter().map(|(id, code)| (code.clone(), *id)).collect();
        // Website 0 is the Admin.
        let shown = websites.into_iter().filter(|(id, _)| *id != 0);
        let mut websites: Vec<String> = shown.map(|(_, code)| code).collect();
        websites.sort_unstable();
        Self {
            views,
            websites,
            website_ids,
        }
    }

    /// Adds every store view.
    pub(crate) fn add_to(&self, assembly: &mut Assembly) {
        for (id, codes) in &self.views {
            let id = Some(id.to_string());
            let codes = codes.iter().cloned().map(Some);
            assembly.add_scope(Cells([id].into_iter().chain(codes).collect()));
        }
    }

    /// Returns the ids of the store views of a website.
    pub(crate) fn views_of(&self, website: &str) -> Vec<i64> {
        let of_website = self.views.iter().filter(|(_, [code, ..])| code == website);
        of_website.map(|(id, _)| *id).collect()
    }

    pub(crate) fn has_view(&self, id: i64) -> bool {
        self.views.iter().any(|(view, _)| *view == id)
    }

    /// Returns the store views without the Admin's. Their currency and the address of their pages are unknown here.
    pub(crate) fn described(&self) -> Vec<ShopStoreView> {
        let shown = self.views.iter().filter(|(id, _)| *id != 0);
        let view = |(id, [website, store, code]): &(i64, [String; 3])| {
            let website_id = self.website_ids.get(website)?;
            Some(ShopStoreView {
                id: u16::try_from(*id).ok()?,
                code: code.clone(),
                store_code: store.clone(),
                website_id: u16::try_from(*website_id).ok()?,
                website_code: website.clone(),
                ..ShopStoreView::default()
            })
        };
        shown.filter_map(view).collect()
    }

    /// Returns the codes of the websites without the Admin's.
    pub(crate) fn websites(&self) -> &[String] {
        &self.websites
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_joined_also_where_they_are_texts() {
        let views = json!([{"id": 1, "code": "default", "website_id": "1", "store_group_id": 1},
            {"id": 3, "code": "gone", "website_id": 9, "store_group_id": 1}]);
        let groups = json!([{"id": "1", "code": "main_store"}]);
        let websites = json!([{"id": 0, "code": "admin"}, {"id": 1, "code": "base"}]);
        let tree = StoreTree::join(&views, &groups, &websites);
        assert_eq!(tree.views_of("base"), [1]);
        assert_eq!(tree.websites(), ["base"]);
        assert!(tree.has_view(1) && !tree.has_view(3));
        let views = tree.described();
        assert_eq!((views.len(), views[0].website_id), (1, 1));
        assert_eq!(
            (views[0].code.as_str(), views[0].store_code.as_str()),
            ("default", "main_store")
        );
    }
}
