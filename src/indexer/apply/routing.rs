//! Decides where the events of an order go, or why it has none. Pure.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::store::feed::Exported;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::Order;

/// The destination of an order's events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    /// The datastream of this website.
    Send(String),
    /// None, for this reason (never `Exported::Yes`).
    Withhold(Exported),
}

/// Returns the route of an order. One created before `floor` has no events; backfills set it for orders not indexed before.
pub(crate) fn route(order: &Order, config: &Config, floor: Option<UtcMillis>) -> Route {
    let Some(scope) = &order.scope else {
        return Route::Withhold(Exported::StoreViewGone);
    };
    match config.websites.get(&scope.website) {
        None => Route::Withhold(Exported::WebsiteUnknown),
        Some(website) if !website.back_office_events => Route::Withhold(Exported::WebsiteOff),
        Some(_) if floor.is_some_and(|floor| order.created_at < floor) => {
            Route::Withhold(Exported::BeforeHistory)
        }
        Some(_) => Route::Send(scope.website.clone()),
    }
}

/// Returns whether a change of this order would lead to events, or the reason why not. For `explain`.
pub fn exported(order: &Order, config: &Config) -> Exported {
    route(order, config, None).exported()
}

impl Route {
    /// Withholds the order if the outbox of its website is full.
    pub(crate) fn unless_full(self, full: &BTreeSet<String>) -> Self {
        match self {
            Self::Send(website) if full.contains(&website) => Self::Withhold(Exported::OutboxFull),
            other => other,
        }
    }

    /// Returns the value for the feed row.
    pub(crate) fn exported(&self) -> Exported {
        match self {
            Self::Send(_) => Exported::Yes,
            Self::Withhold(why) => *why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Website;
    use orderfeed_model::order::Scope;

    #[test]
    fn every_order_is_sent_or_has_a_reason() {
        let mut config = Config::default();
        let datastream = "ebebf826-a01f-4458-8cec-ef61de241c93".parse().unwrap();
        config
            .websites
            .insert("base".to_owned(), Website::sending_to(datastream));
        config.websites.insert("off".to_owned(), Website::default());
        let order = |website: Option<&str>| Order {
            created_at: UtcMillis(10),
            scope: website.map(|code| Scope {
                website: code.to_owned(),
                ..Scope::default()
            }),
            ..Order::default()
        };
        let route = |website, floor: Option<i64>| route(&order(website), &config, floor.map(UtcMillis));
        assert_eq!(route(Some("base"), None), Route::Send("base".to_owned()));
        assert_eq!(route(Some("base"), Some(10)), Route::Send("base".to_owned()));
        assert_eq!(
            route(Some("base"), Some(11)),
            Route::Withhold(Exported::BeforeHistory)
        );
        assert_eq!(route(Some("off"), None), Route::Withhold(Exported::WebsiteOff));
        assert_eq!(
            route(Some("nowhere"), None),
            Route::Withhold(Exported::WebsiteUnknown)
        );
        assert_eq!(route(None, None), Route::Withhold(Exported::StoreViewGone));
    }
}
