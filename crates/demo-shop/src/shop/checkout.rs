//! Orders whose products a visitor of the shop's pages chose. Everything else about them is simulated, as usual.

use crate::amount::Amount;
use crate::orders::basket;
use crate::orders::placing;
use crate::orders::placing::Oddities;
use crate::shop::catalog::PRODUCTS;
use crate::shop::stores::{STORES, WEBSITES};
use crate::shop::{Shop, with_invoice};
use crate::sql::Transaction;
use orderfeed_model::clock::UtcMillis;

/// Most pieces of a product in an order.
const MOST_PIECES: u32 = 100;
/// Products that the shop's pages show.
const SHOWN: [&str; 4] = ["24-MB01", "24-UG06", "MH01-XL-Orange", "CAM-LENS"];

/// A product on the shop's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub sku: &'static str,
    pub name: &'static str,
    /// Price without tax in US dollars.
    pub price: Amount,
}

/// Returns the products on the shop's pages.
pub fn offers() -> Vec<Offer> {
    let shown = PRODUCTS.iter().filter(|product| SHOWN.contains(&product.sku));
    shown
        .map(|product| Offer {
            sku: product.sku,
            name: product.name,
            price: Amount::hundredths(product.cents),
        })
        .collect()
}

/// A store view, in Commerce's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreView {
    pub website: &'static str,
    /// Code of its store (`store_group`).
    pub store: &'static str,
    pub code: &'static str,
    pub currency: &'static str,
}

/// Returns the store view of the shop's pages: the first one of the first website.
pub fn store_view() -> StoreView {
    let store = &STORES[0];
    StoreView {
        website: WEBSITES[store.website].code,
        store: store.group.1,
        code: store.code,
        currency: store.currency,
    }
}

/// A placed order, as the success page needs it.
#[derive(Clone, Debug)]
pub struct PlacedOrder {
    /// Commerce's `increment_id`.
    pub number: String,
    /// In the currency of the store view, with tax and shipping.
    pub grand_total: Amount,
    pub tax: Amount,
    pub discount: Amount,
    pub shipping: Amount,
    /// Code of the payment method.
    pub payment: &'static str,
}

impl Shop {
    /// Places an order of these products, given as SKU and number of pieces, in the store view of the shop's pages.
    /// `None` if there is no product, an unknown one, or an unreasonable number.
    pub fn check_out(
        &mut self,
        lines: &[(String, u32)],
        now: UtcMillis,
    ) -> Option<(PlacedOrder, Transaction)> {
        let known = |(sku, pieces): &(String, u32)| {
            let product = PRODUCTS.iter().find(|product| product.sku == sku);
            let is_shown = SHOWN.contains(&sku.as_str()) && (1..=MOST_PIECES).contains(pieces);
            product.filter(|_| is_shown).map(|product| (product, *pieces))
        };
        let chosen = lines.iter().map(known).collect::<Option<Vec<_>>>()?;
        if chosen.is_empty() || chosen.len() > SHOWN.len() {
            return None;
        }
        let store = &STORES[0];
        let oddities = Oddities {
            guests_without_email: 0,
            deleted_store_views: 0,
        };
        let mut recorder = self.recorder(now);
        let mut items = vec![];
        for (product, pieces) in chosen {
            let pieces = Amount::whole(i64::from(pieces));
            basket::add(&mut recorder, &mut items, store, product, pieces);
        }
        let placed = placing::place_items(&mut recorder, store, items, oddities);
        let order = with_invoice(&mut recorder, placed);
        let changes = recorder.changes;
        let summary = PlacedOrder {
            number: order.number.clone(),
            grand_total: order.cost.grand_total().shown,
            tax: order.cost.tax.shown,
            discount: order.cost.discount.shown,
            shipping: order.cost.shipping.shown,
            payment: order.payment.method,
        };
        let transaction = self.transaction(now, "place", order.id, changes);
        self.keep(order);
        Some((summary, transaction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::ShopOptions;

    #[test]
    fn an_order_has_the_chosen_products_and_the_next_number() {
        let mut shop = Shop::new(ShopOptions::default());
        let lines = [("24-MB01".to_owned(), 2), ("24-UG06".to_owned(), 1)];
        let (order, transaction) = shop.check_out(&lines, UtcMillis(1_795_330_800_000)).unwrap();
        assert_eq!(order.number, "000000001");
        let expected = order.tax + order.shipping + Amount::whole(75) - order.discount;
        assert_eq!(order.grand_total, expected);
        let items = transaction.statements.iter();
        let items = items
            .filter(|statement| statement.sql.contains("sales_order_item"))
            .count();
        assert!(items >= 2, "{items}");
        let (next, _) = shop.check_out(&lines, UtcMillis(1_795_330_801_000)).unwrap();
        assert_eq!(next.number, "000000002");
    }

    #[test]
    fn products_that_are_not_shown_cannot_be_ordered() {
        let mut shop = Shop::new(ShopOptions::default());
        for lines in [
            vec![],
            vec![("nothing".to_owned(), 1)],
            vec![("PENNY".to_owned(), 1)],
            vec![("24-MB01".to_owned(), 0)],
            vec![("24-MB01".to_owned(), 101)],
        ] {
            assert!(shop.check_out(&lines, UtcMillis(1)).is_none(), "{lines:?}");
        }
        assert_eq!(offers().len(), SHOWN.len());
        assert_eq!(store_view().website, "base");
    }
}
