//! The names that events carry.

/// `[events]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// `[events.names]`.
    pub names: EventNames,
}

/// `[events.names]`: the XDM `eventType` of each kind. The defaults are the names in Adobe's documentation of
/// back-office events; no two kinds may share a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNames {
    /// An order was placed.
    pub placed: String,
    /// An invoice was created.
    pub invoiced: String,
    /// A shipment was created.
    pub items_shipped: String,
    /// Nothing is left to ship.
    pub shipment_completed: String,
    /// An order was cancelled.
    pub cancelled: String,
    /// A credit memo was issued.
    pub refunded: String,
    /// A return was requested.
    pub return_initiated: String,
    /// A return was closed.
    pub return_completed: String,
}

impl EventNames {
    /// Each kind's key and its name.
    pub fn by_kind(&self) -> [(&'static str, &str); 8] {
        [
            ("placed", &self.placed),
            ("invoiced", &self.invoiced),
            ("items_shipped", &self.items_shipped),
            ("shipment_completed", &self.shipment_completed),
            ("cancelled", &self.cancelled),
            ("refunded", &self.refunded),
            ("return_initiated", &self.return_initiated),
            ("return_completed", &self.return_completed),
        ]
    }
}

impl Default for EventNames {
    fn default() -> Self {
        Self {
            placed: "commerce.backofficeOrderPlaced".into(),
            invoiced: "commerce.backofficeOrderInvoiced".into(),
            items_shipped: "commerce.backofficeOrderItemsShipped".into(),
            shipment_completed: "commerce.backofficeOrderShipmentCompleted".into(),
            cancelled: "commerce.backofficeOrderCancelled".into(),
            refunded: "commerce.backofficeCreditMemoIssued".into(),
            return_initiated: "commerce.backofficeOrderItemsReturnInitiated".into(),
            return_completed: "commerce.backofficeOrderItemsReturnCompleted".into(),
        }
    }
}
