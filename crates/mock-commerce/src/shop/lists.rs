//! The lists of the API, each over one table.

use crate::config::Permission;

/// A list of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Orders,
    Invoices,
    Shipments,
    CreditMemos,
    Transactions,
    Returns,
}

impl List {
    pub(crate) const ALL: [Self; 6] = [
        Self::Orders,
        Self::Invoices,
        Self::Shipments,
        Self::CreditMemos,
        Self::Transactions,
        Self::Returns,
    ];

    /// Returns the path of the list, and the one of a single document if it has another name.
    pub(crate) const fn names(self) -> [&'static str; 2] {
        match self {
            Self::Orders => ["orders", "orders"],
            Self::Invoices => ["invoices", "invoices"],
            Self::Shipments => ["shipments", "shipment"],
            Self::CreditMemos => ["creditmemos", "creditmemo"],
            Self::Transactions => ["transactions", "transactions"],
            Self::Returns => ["returns", "returns"],
        }
    }

    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Orders => "sales_order",
            Self::Invoices => "sales_invoice",
            Self::Shipments => "sales_shipment",
            Self::CreditMemos => "sales_creditmemo",
            Self::Transactions => "sales_payment_transaction",
            Self::Returns => "magento_rma",
        }
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Transactions => "transaction_id",
            _ => "entity_id",
        }
    }

    /// Returns the column with the id of the order.
    pub(crate) const fn order_column(self) -> &'static str {
        match self {
            Self::Orders => "entity_id",
            _ => "order_id",
        }
    }

    pub(crate) const fn permission(self) -> Permission {
        match self {
            Self::Orders => Permission::Orders,
            Self::Invoices => Permission::Invoices,
            Self::Shipments => Permission::Shipments,
            Self::CreditMemos => Permission::CreditMemos,
            Self::Transactions => Permission::Transactions,
            Self::Returns => Permission::Returns,
        }
    }
}
