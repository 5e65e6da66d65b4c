//! The field filters of requests: they keep bodies small, and free text and addresses of computers out. Pure.
//!
//! The columns are those that [`SourceTable`] declares for the databases; only what has another name or place is written
//! out here.

use crate::commerce::read::tables::SourceTable;
use crate::commerce::rest::list::List;

/// Returns the filter of a list whose rows become whole orders or documents.
pub(crate) fn whole(list: List) -> String {
    let row = match list {
        List::Orders => order(),
        List::Invoices => with(
            list.table(),
            &["order_id"],
            &[("items", SourceTable::InvoiceItems)],
        ),
        List::Shipments => with(
            list.table(),
            &["order_id"],
            &[
                ("items", SourceTable::ShipmentItems),
                ("tracks", SourceTable::Tracks),
            ],
        ),
        List::CreditMemos => with(
            list.table(),
            &["order_id"],
            &[
                ("items", SourceTable::CreditMemoItems),
                ("comments", SourceTable::CreditMemoComments),
            ],
        ),
        // Without its children: the search finds them as rows of their own.
        List::Transactions => with(list.table(), &["order_id"], &[]),
        List::Returns => {
            let items = columns(
                SourceTable::ReturnItems,
                &["reason", "condition", "resolution"],
                &UNKNOWN,
            );
            let own = with(
                list.table(),
                &["order_id"],
                &[("comments", SourceTable::ReturnHistory)],
            );
            format!("{own},items[{items}]")
        }
    };
    format!("items[{row}],total_count,search_criteria")
}

/// Returns the filter of a single order.
pub(crate) fn single_order() -> String {
    order()
}

/// Returns the filter of a single return.
pub(crate) fn single_return() -> String {
    whole(List::Returns)
        .trim_start_matches("items[")
        .trim_end_matches("],total_count,search_criteria")
        .to_owned()
}

/// Returns the filter of a list that is only searched for rows that changed.
pub(crate) fn marks(list: List) -> String {
    let time = match list {
        List::Transactions | List::Returns => "",
        _ => ",updated_at",
    };
    let order = match list {
        List::Orders => "",
        _ => ",order_id",
    };
    format!("items[{}{order}{time}],total_count,search_criteria", list.key())
}

/// Columns of returned items that REST does not have; the order's item has them.
const UNKNOWN: [&str; 2] = ["product_sku", "product_name"];

fn order() -> String {
    let own = columns(SourceTable::Orders, &["store_id"], &["shipping_method"]);
    let items = columns(
        SourceTable::Items,
        &[
            "base_price_incl_tax",
            "base_discount_tax_compensation_amount",
            "base_weee_tax_applied_amount",
        ],
        &["product_options"],
    );
    let address = columns(SourceTable::Addresses, &[], &["address_type"]);
    let payment = columns(SourceTable::Payments, &[], &["additional_information"]);
    let history = columns(SourceTable::History, &[], &[]);
    format!(
        "{own},items[{items}],billing_address[{address}],payment[{payment}],status_histories[{history}],\
         extension_attributes[shipping_assignments[shipping[method,address[{address}]]],payment_additional_info,\
         applied_taxes[title,base_amount],taxes[tax_id,title,base_amount]]"
    )
}

fn with(table: SourceTable, extra: &[&str], parts: &[(&str, SourceTable)]) -> String {
    let mut text = columns(table, extra, &[]);
    for (name, table) in parts {
        text.push_str(&format!(",{name}[{}]", columns(*table, &[], &[])));
    }
    text
}

/// Returns the key and the columns of a table, with `extra` and without `absent`.
fn columns(table: SourceTable, extra: &[&str], absent: &[&str]) -> String {
    let spec = table.spec();
    let present = spec.columns.iter().filter(|column| !absent.contains(column));
    let all: Vec<&str> = [spec.key].iter().chain(present).chain(extra).copied().collect();
    all.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_the_grammar_that_commerce_accepts() {
        for list in List::ALL {
            for filter in [whole(list), marks(list)] {
                let fits = |c: char| c.is_ascii_alphanumeric() || "_,[]".contains(c);
                assert!(filter.chars().all(fits), "{filter}");
                let depth = filter.chars().fold(0, |depth: i32, c| {
                    assert!(depth >= 0, "{filter}");
                    depth + i32::from(c == '[') - i32::from(c == ']')
                });
                assert_eq!(depth, 0, "{filter}");
                assert!(!filter.contains("[,") && !filter.contains(",,"), "{filter}");
            }
        }
    }

    #[test]
    fn an_order_is_read_without_free_text_of_others_and_without_computers() {
        let filter = whole(List::Orders);
        for absent in ["remote_ip", "comment", "parent_item", "parent_item,", "cc_last4"] {
            let is_there = filter
                .split(|c: char| ",[]".contains(c))
                .any(|field| field == absent);
            assert!(!is_there, "{absent}");
        }
        assert!(
            single_return().starts_with("entity_id,increment_id,status,date_requested,order_id,comments[")
        );
    }

    #[test]
    fn the_fields_of_an_order_leave_space_for_ids_in_a_url() {
        let encoded = crate::commerce::rest::request::query::encode(&whole(List::Orders));
        assert!(encoded.len() < 2_600, "{}", encoded.len());
    }
}
