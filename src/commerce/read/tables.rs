//! The tables and columns that orders are read from, each declared once, for both databases.
//!
//! A line names a column, the field that it fills, and how its value is read ([`RowDecoder`] has the readers). The SQL in
//! [`queries`](crate::commerce::read::queries) selects the columns in the order of the lines, and the generated decoder
//! reads them in that order, so that neither looks up a name for each row. Names and types: magento/magento2,
//! `app/code/Magento/Sales/etc/db_schema.xml`.

use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::decode::{BadCell, RowDecoder};
use crate::commerce::read::spec::Presence::{self, Core, Optional};
use crate::commerce::read::spec::TableSpec;
use orderfeed_model::order::{
    Address, CreditMemo, DocumentItem, Invoice, Item, Order, Payment, Return, ReturnItem, Shipment,
    StatusChange, Tax, Track, Transaction,
};

const NO_RETURNS: Presence = Optional("returns are not sent");

/// Declares [`SourceTable`] with the [`TableSpec`] of each table, and a function that decodes a row of it.
macro_rules! source_tables {
    (@parent) => { None };
    (@parent $parent:literal) => { Some($parent) };
    // A table that is read for its key alone.
    (@decode $decode:ident -> $type:ty {}) => {
        pub(crate) fn $decode<R: SourceRow>(_: &mut RowDecoder<'_, R>) -> Result<$type, BadCell> {
            Ok(<$type>::default())
        }
    };
    (@decode $decode:ident -> $type:ty {
        $($own:ident: $reader_of_own:ident,)*
        $($column:literal => $($field:ident).+: $reader:ident,)*
    }) => {
        pub(crate) fn $decode<R: SourceRow>(row: &mut RowDecoder<'_, R>) -> Result<$type, BadCell> {
            // Assignments instead of a struct literal, so that a line may fill a field of a field (`totals.tax`).
            let mut value = <$type>::default();
            $(value.$($field).+ = row.$reader()?;)*
            // Last: some depend on the columns.
            $(value.$own = row.$reader_of_own();)*
            Ok(value)
        }
    };
    ($(
        $(#[$about:meta])*
        $name:ident = $table:literal ($key:ident, $owner:ident $(in $parent:literal)?) $presence:expr;
        fn $decode:ident -> $type:ty {
            $($own:ident: $reader_of_own:ident,)*
            $($column:literal => $($field:ident).+: $reader:ident,)*
        }
    )+) => {
        /// A table that is read for each batch of orders. Parents precede the tables whose rows belong to them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum SourceTable {
            $($(#[$about])* $name,)+
        }

        impl SourceTable {
            /// Every table, in the order in which they are read.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];

            /// Returns the spec of every table, in the order of [`SourceTable::ALL`].
            pub(crate) fn specs() -> impl Iterator<Item = &'static TableSpec> {
                Self::ALL.iter().map(|table| table.spec())
            }

            pub(crate) const fn spec(self) -> &'static TableSpec {
                match self {
                    $(Self::$name => &TableSpec {
                        table: $table,
                        key: stringify!($key),
                        owner: stringify!($owner),
                        parent: source_tables!(@parent $($parent)?),
                        columns: &[$($column,)*],
                        presence: $presence,
                    },)+
                }
            }

            /// Returns true for returns and the rows that belong to them.
            pub(crate) fn is_of_returns(self) -> bool {
                self.spec().presence == NO_RETURNS
            }

            /// Decodes a row and drops the result.
            #[cfg(test)]
            pub(crate) fn try_decode(self, row: &mut impl SourceRow) -> Result<(), BadCell> {
                let mut decoder = RowDecoder::new(row, self.spec());
                match self {
                    $(Self::$name => $decode(&mut decoder).map(drop),)+
                }
            }
        }

        $(source_tables!(@decode $decode -> $type {
            $($own: $reader_of_own,)*
            $($column => $($field).+: $reader,)*
        });)+
    };
}

source_tables! {
    Orders = "sales_order" (entity_id, store_id) Core;
    fn order -> Order {
        id: key,
        store_id: owner,
        "increment_id" => number: text_or_empty,
        "state" => state: lower_case,
        "status" => status: text,
        "created_at" => created_at: moment_or_epoch,
        "updated_at" => updated_at: moment_or_epoch,
        "customer_id" => customer_id: int,
        "customer_is_guest" => is_guest: flag,
        "customer_email" => email: text,
        "customer_note" => customer_note: text,
        "is_virtual" => is_virtual: flag,
        "base_currency_code" => currency: text,
        "base_grand_total" => totals.grand_total: amount,
        "base_subtotal" => totals.subtotal: amount,
        "base_discount_amount" => totals.discount: amount,
        "base_tax_amount" => totals.tax: amount,
        "base_shipping_amount" => totals.shipping: amount,
        "base_shipping_tax_amount" => totals.shipping_tax: amount,
        "base_total_invoiced" => totals.invoiced: amount,
        "base_total_paid" => totals.paid: amount,
        "base_total_refunded" => totals.refunded: amount,
        "base_total_canceled" => totals.canceled: amount,
        "total_qty_ordered" => totals.qty_ordered: amount,
        "shipping_method" => shipping_method: text,
        "shipping_description" => shipping_description: text,
        "protect_code" => protect_code: text,
        "quote_id" => birth.quote_id: int,
    }

    Items = "sales_order_item" (item_id, order_id) Core;
    fn item -> Item {
        id: key,
        "parent_item_id" => parent_id: int,
        "product_id" => product_id: int,
        "product_type" => product_type: text,
        "sku" => sku: text_or_empty,
        "name" => name: text,
        "is_virtual" => is_virtual: flag,
        "product_options" => product_options: options,
        "weight" => weight: amount,
        "qty_ordered" => qty_ordered: quantity,
        "qty_invoiced" => qty_invoiced: quantity,
        "qty_shipped" => qty_shipped: quantity,
        "qty_refunded" => qty_refunded: quantity,
        "qty_canceled" => qty_canceled: quantity,
        "qty_backordered" => qty_backordered: quantity,
        "base_price" => price: amount,
        "base_row_total" => row_total: amount,
        "base_row_total_incl_tax" => row_total_incl_tax: amount,
        "base_discount_amount" => discount: amount,
        "base_tax_amount" => tax: amount,
        "base_amount_refunded" => refunded: amount,
    }

    Addresses = "sales_order_address" (entity_id, parent_id) Core;
    fn address -> TypedAddress {
        "address_type" => kind: text,
        "firstname" => address.first_name: text,
        "lastname" => address.last_name: text,
        "company" => address.company: text,
        "street" => address.street: text,
        "city" => address.city: text,
        "region" => address.region: text,
        "region_id" => address.region_id: int,
        "postcode" => address.postcode: text,
        "country_id" => address.country: text,
        "telephone" => address.telephone: text,
    }

    Payments = "sales_order_payment" (entity_id, parent_id) Core;
    fn payment -> Payment {
        "method" => method: text,
        "additional_information" => method_title: method_title,
        "po_number" => po_number: text,
        "last_trans_id" => last_transaction_id: text,
        "base_amount_ordered" => ordered: amount,
        "base_amount_paid" => paid: amount,
        "base_amount_paid_online" => paid_online: amount,
        "base_amount_authorized" => authorized: amount,
        "base_amount_canceled" => canceled: amount,
        "base_amount_refunded" => refunded: amount,
        "base_amount_refunded_online" => refunded_online: amount,
    }

    Transactions = "sales_payment_transaction" (transaction_id, order_id) Core;
    fn transaction -> Transaction {
        id: key,
        "txn_id" => txn_id: text,
        "txn_type" => kind: text,
        "created_at" => created_at: moment,
    }

    Invoices = "sales_invoice" (entity_id, order_id) Core;
    fn invoice -> Invoice {
        id: key,
        birth: birth,
        "increment_id" => number: text,
        "state" => state: int,
        "created_at" => created_at: moment_or_next,
        "updated_at" => updated_at: moment_or_previous,
        "base_grand_total" => grand_total: amount,
        "base_shipping_amount" => shipping: amount,
        "transaction_id" => transaction_id: text,
    }

    InvoiceItems = "sales_invoice_item" (entity_id, parent_id in "sales_invoice") Core;
    fn invoice_item -> DocumentItem {
        id: key,
        "order_item_id" => order_item_id: int_or_zero,
        "qty" => qty: quantity,
        "base_price" => price: amount,
        "base_row_total" => row_total: amount,
        "base_discount_amount" => discount: amount,
        "base_tax_amount" => tax: amount,
    }

    Shipments = "sales_shipment" (entity_id, order_id) Core;
    fn shipment -> Shipment {
        id: key,
        birth: birth,
        "increment_id" => number: text,
        "created_at" => created_at: moment_or_next,
        "updated_at" => updated_at: moment_or_previous,
    }

    ShipmentItems = "sales_shipment_item" (entity_id, parent_id in "sales_shipment") Core;
    fn shipment_item -> DocumentItem {
        id: key,
        "order_item_id" => order_item_id: int_or_zero,
        "qty" => qty: quantity,
    }

    Tracks = "sales_shipment_track" (entity_id, parent_id in "sales_shipment") Core;
    fn track -> Track {
        id: key,
        "carrier_code" => carrier: text,
        "title" => title: text,
        "track_number" => number: text,
    }

    CreditMemos = "sales_creditmemo" (entity_id, order_id) Core;
    fn credit_memo -> CreditMemo {
        id: key,
        birth: birth,
        "increment_id" => number: text,
        "state" => state: int,
        "created_at" => created_at: moment_or_next,
        "updated_at" => updated_at: moment_or_previous,
        "base_grand_total" => grand_total: amount,
        "base_subtotal" => subtotal: amount,
        "base_tax_amount" => tax: amount,
        "base_shipping_amount" => shipping: amount,
        "base_adjustment" => adjustment: amount,
        "transaction_id" => transaction_id: text,
    }

    CreditMemoItems = "sales_creditmemo_item" (entity_id, parent_id in "sales_creditmemo") Core;
    fn credit_memo_item -> DocumentItem {
        id: key,
        "order_item_id" => order_item_id: int_or_zero,
        "qty" => qty: quantity,
        "base_price" => price: amount,
        "base_row_total" => row_total: amount,
        "base_discount_amount" => discount: amount,
        "base_tax_amount" => tax: amount,
    }

    /// Comments are only counted: their text may hold anything.
    CreditMemoComments = "sales_creditmemo_comment" (entity_id, parent_id in "sales_creditmemo") Core;
    fn credit_memo_comment -> () {
    }

    Taxes = "sales_order_tax" (tax_id, order_id) Optional("the titles of taxes are not sent");
    fn tax -> Tax {
        id: key,
        "title" => title: text,
        "base_amount" => amount: amount,
    }

    History = "sales_order_status_history" (entity_id, parent_id) Core;
    fn status_change -> StatusChange {
        id: key,
        "status" => status: text,
        "created_at" => at: moment_or_epoch,
    }

    Returns = "magento_rma" (entity_id, order_id) NO_RETURNS;
    fn returned -> Return {
        id: key,
        "increment_id" => number: text,
        "status" => status: text,
        "date_requested" => requested_at: moment_or_epoch,
    }

    ReturnItems = "magento_rma_item_entity" (entity_id, rma_entity_id in "magento_rma") NO_RETURNS;
    fn return_item -> ReturnItem {
        id: key,
        "order_item_id" => order_item_id: int,
        "product_sku" => sku: text,
        "product_name" => name: text,
        "status" => status: text,
        "qty_requested" => qty_requested: amount,
        "qty_authorized" => qty_authorized: amount,
        "qty_returned" => qty_returned: amount,
        "qty_approved" => qty_approved: amount,
    }

    ReturnHistory = "magento_rma_status_history" (entity_id, rma_entity_id in "magento_rma") NO_RETURNS;
    fn return_status_change -> StatusChange {
        id: key,
        "status" => status: text,
        "created_at" => at: moment_or_epoch,
    }
}

/// An address with its type, `billing` or `shipping`.
#[derive(Debug, Default)]
pub(crate) struct TypedAddress {
    pub(crate) kind: Option<String>,
    pub(crate) address: Address,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::read::cells::CellRef;

    /// A row of NULLs with one text in the cell at an index.
    struct One(usize, &'static str);

    impl SourceRow for One {
        fn cell(&self, index: usize) -> CellRef<'_> {
            match index == self.0 {
                true => CellRef::Text(self.1.as_bytes()),
                false => CellRef::Null,
            }
        }
        fn take_text(&mut self, index: usize) -> Option<String> {
            (index == self.0).then(|| self.1.to_owned())
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_under_the_name_of_its_column() {
        let mut refused = 0;
        for table in SourceTable::ALL {
            let spec = table.spec();
            for (index, column) in spec.columns.iter().enumerate() {
                if let Err(bad) = table.try_decode(&mut One(index + 2, "x")) {
                    let expected = format!("{}.{column} is not a", spec.table);
                    assert!(bad.to_string().starts_with(&expected), "{bad}");
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 80, "every column but those of text");
    }

    #[test]
    fn nulls_and_zero_dates_are_absent() {
        for table in SourceTable::ALL {
            assert_eq!(table.try_decode(&mut One(0, "7")), Ok(()), "{table:?}");
        }
        let mut row = One(3, "0000-00-00 00:00:00");
        let mut decoder = RowDecoder::new(&mut row, SourceTable::History.spec());
        assert_eq!(status_change(&mut decoder).unwrap().at, Default::default());
    }

    #[test]
    fn a_document_with_one_of_its_two_times_has_it_for_both() {
        for column in [3, 4] {
            let mut row = One(column, "2026-01-02 03:04:05");
            let mut decoder = RowDecoder::new(&mut row, SourceTable::Shipments.spec());
            let shipment = shipment(&mut decoder).unwrap();
            assert_eq!(shipment.created_at.sql(), "2026-01-02 03:04:05");
            assert_eq!(shipment.updated_at, shipment.created_at);
        }
    }
}
