//! Items grouped by family: an item in the shopper's cart (the head), with the parts Commerce added to it.

use orderfeed_model::amount::Amount;
use orderfeed_model::order::{Item, Order};

/// The items of an order, indexed by id and by family.
#[derive(Debug)]
pub(crate) struct Families<'a> {
    by_id: Vec<&'a Item>,
    /// Sorted by family, each head first.
    members: Vec<Member<'a>>,
}

/// An item with the id of its family's head.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    head: i64,
    pub(crate) item: &'a Item,
}

impl<'a> Families<'a> {
    pub(crate) fn of(order: &'a Order) -> Self {
        let mut by_id: Vec<&Item> = order.items.iter().collect();
        by_id.sort_by_key(|item| item.id);
        let mut families = Self {
            by_id,
            members: Vec::new(),
        };
        let mut members: Vec<_> = families
            .by_id
            .iter()
            .map(|item| Member {
                head: families.head_of(item.id),
                item,
            })
            .collect();
        members.sort_by_key(|member| (member.head, member.item.id != member.head, member.item.id));
        families.members = members;
        families
    }

    pub(crate) fn item(&self, id: i64) -> Option<&'a Item> {
        let position = self.by_id.binary_search_by_key(&id, |item| item.id).ok()?;
        self.by_id.get(position).copied()
    }

    /// Returns the head of the item's family: its parent, if that exists and is not a child itself; otherwise the item.
    pub(crate) fn head_of(&self, id: i64) -> i64 {
        let parent = self
            .item(id)
            .and_then(|item| item.parent_id)
            .and_then(|parent| self.item(parent));
        parent
            .filter(|parent| parent.parent_id.is_none())
            .map_or(id, |parent| parent.id)
    }

    /// Returns the parts of a head, sorted by id.
    pub(crate) fn children(&self, head: i64) -> &[Member<'a>] {
        let family = &self.members[self.members.partition_point(|member| member.head < head)..];
        let family = &family[..family.partition_point(|member| member.head == head)];
        family.get(1..).unwrap_or_default()
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = &'a Item> + '_ {
        self.by_id.iter().copied()
    }
}

/// Returns the amount of a family: the head's, or that of its parts if the head has none.
///
/// Commerce stores amounts on a configurable and on a fixed-price bundle, but on the parts of a bundle priced by its parts.
/// The order item of such a bundle repeats the sum and its documents do not, so adding both would count twice.
pub(crate) fn family_amount(
    head: Option<Amount>,
    parts: impl Iterator<Item = Option<Amount>>,
) -> Option<Amount> {
    match head {
        Some(amount) if amount != Amount::ZERO => Some(amount),
        _ => parts.flatten().reduce(|sum, amount| sum + amount).or(head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(items: &[(i64, Option<i64>)]) -> Order {
        let items = items
            .iter()
            .map(|&(id, parent_id)| Item {
                id,
                parent_id,
                ..Item::default()
            })
            .collect();
        Order {
            items,
            ..Order::default()
        }
    }

    #[test]
    fn children_belong_to_their_parent_and_orphans_to_themselves() {
        let order = order(&[
            (4, Some(1)),
            (1, None),
            (2, Some(1)),
            (3, Some(99)),
            (5, Some(5)),
            (6, Some(7)),
            (7, Some(6)),
        ]);
        let families = Families::of(&order);
        let children = |head| {
            families
                .children(head)
                .iter()
                .map(|member| member.item.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(children(1), [2, 4]);
        assert_eq!(families.head_of(4), 1);
        for alone in [3, 5, 6, 7, 1000] {
            assert_eq!(families.head_of(alone), alone);
            assert!(children(alone).is_empty());
        }
    }

    #[test]
    fn amounts_are_the_heads_or_the_sum_of_the_parts() {
        let (two, three) = (Some(Amount::from_units(2)), Some(Amount::from_units(3)));
        assert_eq!(family_amount(two, [three].into_iter()), two);
        assert_eq!(
            family_amount(None, [two, None, three].into_iter()),
            Some(Amount::from_units(5))
        );
        assert_eq!(family_amount(Some(Amount::ZERO), [three].into_iter()), three);
        assert_eq!(
            family_amount(Some(Amount::ZERO), [].into_iter()),
            Some(Amount::ZERO)
        );
        assert_eq!(family_amount(None, [None].into_iter()), None);
    }
}
