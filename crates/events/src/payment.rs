//! Payments: Commerce's payment methods mapped to XDM's payment types.

use std::borrow::Cow;

use crate::text::{clean, clean_column, currency};
use crate::xdm::{PaymentItem, Text};
use orderfeed_model::amount::Amount;
use orderfeed_model::order::{Order, Payment};

/// Returns the payment of an order. It uses the ordered amount, which does not depend on when the order is read.
pub(super) fn order_payment(order: &Order) -> Option<[PaymentItem<'_>; 1]> {
    let payment = order.payment.as_ref()?;
    let amount = payment.ordered.or(order.totals.grand_total);
    Some(item(order, payment, amount, order_transaction(order, payment)))
}

/// Returns the payment an invoice asks for.
pub(super) fn invoice_payment<'a>(
    order: &'a Order,
    amount: Option<Amount>,
    transaction_id: &'a Option<String>,
) -> Option<[PaymentItem<'a>; 1]> {
    let payment = order.payment.as_ref()?;
    Some(item(order, payment, amount, clean_column(transaction_id)))
}

fn item<'a>(
    order: &'a Order,
    payment: &'a Payment,
    payment_amount: Option<Amount>,
    transaction_id: Text<'a>,
) -> [PaymentItem<'a>; 1] {
    let payment_type = payment
        .method
        .as_deref()
        .and_then(|method| match known_type(method) {
            Some(known) => Some(Cow::Borrowed(known)),
            None => clean(method),
        });
    [PaymentItem {
        transaction_id,
        payment_amount,
        payment_type,
        currency_code: currency(&order.currency),
    }]
}

/// Returns the id of the first transaction that pays. Refunds and voids come later and must not change it.
fn order_transaction<'a>(order: &'a Order, payment: &'a Payment) -> Text<'a> {
    let pays = |kind: &str| matches!(kind, "order" | "authorization" | "capture" | "payment");
    let paying = order
        .transactions
        .iter()
        .filter(|transaction| transaction.kind.as_deref().is_some_and(pays));
    let first = paying.min_by_key(|transaction| transaction.id);
    first
        .and_then(|transaction| clean_column(&transaction.txn_id))
        .or_else(|| clean_column(&payment.last_transaction_id))
}

/// Returns the `refundPaymentType`. Its enum is closed, so unknown methods become `other`.
pub(super) fn refund_type(payment: &Payment) -> Option<&'static str> {
    payment
        .method
        .as_deref()
        .map(|method| known_type(method).unwrap_or("other"))
}

/// Maps a method to XDM's payment type enum, if the mapping is unambiguous.
fn known_type(method: &str) -> Option<&'static str> {
    let method = method.trim();
    match method {
        "checkmo" => Some("check"),
        "banktransfer" => Some("wire_transfer"),
        "cashondelivery" => Some("cash"),
        "free" => Some("other"),
        "ccsave"
        | "authorizenet_acceptjs"
        | "authorizenet_directpost"
        | "braintree"
        | "braintree_cc_vault"
        | "cybersource"
        | "eway"
        | "payflow_advanced"
        | "payflow_link"
        | "payflowpro"
        | "payflowpro_cc_vault"
        | "adyen_cc"
        | "stripe_payments"
        | "paypal_direct"
        | "payment_services_paypal_hosted_fields" => Some("credit_card"),
        "braintree_paypal" | "braintree_paypal_vault" | "hosted_pro" => Some("paypal"),
        _ if method.starts_with("paypal_") || method.starts_with("payflow_express") => Some("paypal"),
        _ if method.starts_with("payment_services_paypal_") => Some("paypal"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orderfeed_model::order::Transaction;

    fn paid_by(method: &str) -> Order {
        let payment = Payment {
            method: Some(method.to_owned()),
            ..Payment::default()
        };
        Order {
            payment: Some(payment),
            ..Order::default()
        }
    }

    #[test]
    fn known_methods_are_mapped_and_others_keep_their_code() {
        for (method, kind, refund) in [
            ("checkmo", "check", "check"),
            ("paypal_express", "paypal", "paypal"),
            ("braintree", "credit_card", "credit_card"),
            ("purchaseorder", "purchaseorder", "other"),
            ("klarna_kp", "klarna_kp", "other"),
        ] {
            let order = paid_by(method);
            let [item] = order_payment(&order).unwrap();
            assert_eq!(item.payment_type.as_deref(), Some(kind));
            assert_eq!(refund_type(order.payment.as_ref().unwrap()), Some(refund));
        }
        assert!(order_payment(&Order::default()).is_none());
    }

    #[test]
    fn the_first_paying_transaction_is_the_orders() {
        let transaction = |id, kind: &str| Transaction {
            id,
            kind: Some(kind.to_owned()),
            txn_id: Some(format!("t{id}")),
            ..Transaction::default()
        };
        let mut order = paid_by("braintree");
        order.transactions = vec![
            transaction(9, "refund"),
            transaction(7, "capture"),
            transaction(5, "void"),
        ];
        assert_eq!(
            order_payment(&order).unwrap()[0].transaction_id.as_deref(),
            Some("t7")
        );
    }
}
