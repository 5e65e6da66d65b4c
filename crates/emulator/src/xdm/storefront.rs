//! The fields of events that pages send: the collector's own, and the context that the Web SDK adds.
//!
//! Facts from the public XDM repository (field groups Web Details, Environment Details, Implementation Details, Site
//! Search, User Account) and from the collector's own type of an event.

use crate::xdm::rule::Rule::*;
use crate::xdm::rule::{Shape, shapes};

shapes! {
    pub(crate) MEASURE ["value"] {
        "id": Text,
        "value": Number,
    }

    pub(crate) CART [] {
        "cartID": Text,
        "cartSource": Text,
    }

    pub(crate) REQUISITION_LIST ["ID"] {
        "ID": Text,
        "name": Text,
        "description": Text,
    }

    pub(crate) WEB [] {
        "webPageDetails": Object(&PAGE),
        "webReferrer": Object(&REFERRER),
        "webInteraction": Object(&INTERACTION),
    }

    PAGE [] {
        "URL": Text,
        "name": Text,
        "siteSection": Text,
        "viewName": Text,
        "server": Text,
        "isErrorPage": Bool,
        "isHomePage": Bool,
        "pageViews": Object(&MEASURE),
    }

    REFERRER [] {
        "URL": Text,
        "type": OneOf(&[
            "internal", "external", "search_engine", "typed_bookmarked", "email", "social", "unknown", "usenet",
        ]),
    }

    INTERACTION [] {
        "URL": Text,
        "name": Text,
        "region": Text,
        "type": OneOf(&["download", "exit", "other"]),
        "linkClicks": Object(&MEASURE),
    }

    pub(crate) SITE_SEARCH [] {
        "query": Text,
        "refinements": ListOf(&Object(&REFINEMENT)),
        "sort": ListOf(&Object(&SORT)),
        "suggestions": ListOf(&Text),
        "numberOfResults": Integer,
    }

    REFINEMENT [] {
        "attribute": Text,
        "value": ListOf(&Text),
        "isRange": Bool,
    }

    SORT [] {
        "attribute": Text,
        "order": OneOf(&["ASC", "DESC"]),
    }

    pub(crate) USER_ACCOUNT [] {
        "login": Number,
        "logout": Number,
        "createProfile": Number,
        "updateProfile": Number,
    }

    pub(crate) DEVICE [] {
        "screenWidth": Integer,
        "screenHeight": Integer,
        "screenOrientation": OneOf(&["portrait", "landscape"]),
    }

    pub(crate) ENVIRONMENT [] {
        "type": OneOf(&["browser", "application", "iot", "external", "widget"]),
        "browserDetails": Object(&BROWSER),
    }

    BROWSER [] {
        "viewportWidth": Integer,
        "viewportHeight": Integer,
        "userAgent": Text,
        "userAgentClientHints": MapOf(&Any),
    }

    pub(crate) PLACE [] {
        "localTime": DateTime,
        "localTimezoneOffset": Integer,
        "ianaTimezone": Text,
    }

    pub(crate) IMPLEMENTATION [] {
        "name": Text,
        "version": Text,
        "environment": OneOf(&["browser", "app", "server", "iot"]),
    }
}
