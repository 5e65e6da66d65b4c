//! The birth marks of an order and its documents, and the generations that follow from them.

use crate::birth::{Birth, BirthMark, Document, DocumentKind, Generation};
use crate::clock::UtcMillis;
use crate::order::Order;

/// Returns the marks of an order and of its documents, the order's first.
pub fn births(order: &Order) -> Vec<(Document, BirthMark)> {
    use DocumentKind::{CreditMemo, Invoice, Return, Shipment};
    let code = text(order.protect_code.as_ref());
    let quote = order
        .birth
        .quote_id
        .filter(|id| *id != 0)
        .map(|id| id.to_string());
    let parts = [moment(order.created_at), text(Some(&order.number)), code, quote];
    let own = Document {
        kind: DocumentKind::Order,
        id: order.id,
    };
    let mut births = vec![(own, BirthMark::new(own.kind, parts))];
    let owner = order.id.to_string();
    let mut add = |kind, id, created: UtcMillis, birth: Birth, number: &Option<String>| {
        let created = moment(created).filter(|_| !birth.is_undated);
        let parts = [created, text(number.as_ref()), Some(owner.clone()), None];
        births.push((Document { kind, id }, BirthMark::new(kind, parts)));
    };
    for one in &order.invoices {
        add(Invoice, one.id, one.created_at, one.birth, &one.number);
    }
    for one in &order.shipments {
        add(Shipment, one.id, one.created_at, one.birth, &one.number);
    }
    for one in &order.credit_memos {
        add(CreditMemo, one.id, one.created_at, one.birth, &one.number);
    }
    for one in &order.returns {
        add(Return, one.id, one.requested_at, one.birth, &one.number);
    }
    births
}

impl Order {
    /// Sets the generation of the order and of each of its documents.
    pub fn set_generations(&mut self, of: impl Fn(Document) -> Generation) {
        use DocumentKind::{CreditMemo, Invoice, Return, Shipment};
        let of = |kind, id| of(Document { kind, id });
        self.birth.generation = of(DocumentKind::Order, self.id);
        for one in &mut self.invoices {
            one.birth.generation = of(Invoice, one.id);
        }
        for one in &mut self.shipments {
            one.birth.generation = of(Shipment, one.id);
        }
        for one in &mut self.credit_memos {
            one.birth.generation = of(CreditMemo, one.id);
        }
        for one in &mut self.returns {
            one.birth.generation = of(Return, one.id);
        }
    }
}

/// Returns the seconds of a moment; `None` for the epoch, which stands for NULL and the zero date, and for a date that no
/// event can have: an operator may correct it.
fn moment(at: UtcMillis) -> Option<String> {
    let year_10000 = 253_402_300_800_000;
    // Whole seconds, because the precision of the column may change.
    (at.0 != 0 && at.0 < year_10000).then(|| at.0.div_euclid(1000).to_string())
}

fn text(value: Option<&String>) -> Option<String> {
    value.filter(|text| !text.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Invoice;

    fn order() -> Order {
        Order {
            id: 42,
            number: "000000042".to_owned(),
            created_at: UtcMillis::from_secs(1_700_000_000),
            protect_code: Some("5c1e0a".to_owned()),
            birth: Birth {
                quote_id: Some(7),
                ..Birth::default()
            },
            invoices: vec![Invoice {
                id: 7,
                number: Some("000000007".to_owned()),
                created_at: UtcMillis::from_secs(1_700_000_100),
                ..Invoice::default()
            }],
            ..Order::default()
        }
    }

    fn marks(change: impl Fn(&mut Order)) -> [BirthMark; 2] {
        let mut order = order();
        change(&mut order);
        let births = births(&order);
        assert_eq!(births[0].0.id, 42);
        assert_eq!(births[1].0.id, 7);
        [births[0].1, births[1].1]
    }

    fn same(change: impl Fn(&mut Order)) -> [bool; 2] {
        let (before, after) = (marks(|_| {}), marks(change));
        [
            before[0].matches(after[0], DocumentKind::Order),
            before[1].matches(after[1], DocumentKind::Invoice),
        ]
    }

    #[test]
    fn each_part_tells_two_orders_apart_and_nothing_else_does() {
        assert_eq!(same(|order| order.created_at.0 += 1000), [false, true]);
        assert_eq!(same(|order| order.number.push('1')), [false, true]);
        assert_eq!(
            same(|order| order.protect_code = Some("77".to_owned())),
            [false, true]
        );
        assert_eq!(same(|order| order.birth.quote_id = Some(8)), [false, true]);
        assert_eq!(
            same(|order| order.invoices[0].created_at.0 += 1000),
            [true, false]
        );
        assert_eq!(
            same(|order| order.invoices[0].number = Some("8".to_owned())),
            [true, false]
        );
        let erased = |order: &mut Order| {
            (order.email, order.state) = (Some("anonymous@example.com".to_owned()), "closed".to_owned());
            (order.updated_at, order.created_at.0) = (UtcMillis(9), order.created_at.0 + 999);
            order.invoices[0].updated_at = UtcMillis(9);
        };
        assert_eq!(same(erased), [true, true]);
    }

    #[test]
    fn a_part_that_is_not_known_matches_any_and_is_completed_later() {
        let bare = |order: &mut Order| {
            (order.protect_code, order.birth.quote_id) = (None, None);
            order.invoices[0].birth.is_undated = true;
        };
        assert_eq!(same(bare), [true, true]);
        let (whole, bare) = (marks(|_| {}), marks(bare));
        assert_eq!(bare[0].completed_by(whole[0]), whole[0]);
        assert_eq!(bare[1].completed_by(whole[1]), whole[1]);
        assert_eq!(same(|order| order.created_at = UtcMillis(0)), [true, true]);
        let undated = marks(|order| {
            order.invoices[0].birth.is_undated = true;
            order.invoices[0].created_at.0 += 5000;
        });
        assert!(undated[1].matches(bare[1], DocumentKind::Invoice));
        assert!(BirthMark::default().matches(whole[0], DocumentKind::Order));
    }

    #[test]
    fn marks_are_small_and_positive() {
        for index in 0..500 {
            let [order, invoice] = marks(|order| {
                order.created_at.0 += index * 1000;
                order.invoices[0].created_at.0 += index * 1000;
            });
            assert!(order.0 > 0);
            assert!(invoice.0 > 0 && invoice.0 < 1 << 47);
        }
    }
}
