//! The lists of the REST API that orders are read from.

use crate::commerce::read::tables::SourceTable;

/// A list, with the columns that it shares with its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum List {
    Orders,
    Invoices,
    Shipments,
    CreditMemos,
    Transactions,
    /// Not in the Open Source edition.
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
    /// The lists of the documents of an order.
    pub(crate) const DOCUMENTS: [Self; 5] = [
        Self::Invoices,
        Self::Shipments,
        Self::CreditMemos,
        Self::Transactions,
        Self::Returns,
    ];

    /// Returns the path below the base address; also the name in messages.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Invoices => "invoices",
            Self::Shipments => "shipments",
            Self::CreditMemos => "creditmemos",
            Self::Transactions => "transactions",
            Self::Returns => "returns",
        }
    }

    pub(crate) const fn table(self) -> SourceTable {
        match self {
            Self::Orders => SourceTable::Orders,
            Self::Invoices => SourceTable::Invoices,
            Self::Shipments => SourceTable::Shipments,
            Self::CreditMemos => SourceTable::CreditMemos,
            Self::Transactions => SourceTable::Transactions,
            Self::Returns => SourceTable::Returns,
        }
    }

    pub(crate) const fn key(self) -> &'static str {
        self.table().spec().key
    }

    /// Returns the field with the id of the order.
    pub(crate) const fn order_key(self) -> &'static str {
        match self {
            Self::Orders => "entity_id",
            _ => self.table().spec().owner,
        }
    }

    /// Returns the place of the permission in the Admin, for messages about a missing one.
    pub(crate) const fn resource(self) -> &'static str {
        match self {
            Self::Orders => "Magento_Sales::actions_view (Sales > Operations > Orders > Actions > View)",
            Self::Invoices => "Magento_Sales::sales_invoice (Sales > Operations > Invoices)",
            Self::Shipments => "Magento_Sales::shipment (Sales > Operations > Shipments)",
            Self::CreditMemos => "Magento_Sales::sales_creditmemo (Sales > Operations > Credit Memos)",
            Self::Transactions => {
                "Magento_Sales::transactions_fetch (Sales > Operations > Transactions > Fetch)"
            }
            Self::Returns => "Magento_Rma::magento_rma (Sales > Operations > Returns)",
        }
    }
}
