//! The frame that all pages share.

use orderfeed_model::clock::UtcMillis;

use crate::web::parts::{Stamp, link};

/// The reader of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Reads pages without personal data, and changes nothing.
    Anonymous,
    /// May read everything and run every action.
    Operator {
        /// `admin` after a login with the password, `uid 0` on the Unix socket.
        name: String,
    },
}

/// The login of the page's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// A password is set, and the viewer did not log in.
    Possible,
    /// No password is set.
    NotSetUp,
    Active {
        /// False on the Unix socket, whose peer is the operator.
        can_log_out: bool,
    },
}

/// The outcome of an action, shown once on the page that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub failed: bool,
}

/// The part of a page that depends on the request, not on its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub viewer: Viewer,
    pub now: UtcMillis,
    /// Path and query of the request; actions return to it.
    pub path: String,
    pub notice: Option<Notice>,
    pub login: Login,
    /// True if `admin.edit_settings` is on and the viewer is an operator.
    pub may_edit: bool,
}

/// One entry of the navigation.
pub struct Entry {
    pub path: &'static str,
    pub title: &'static str,
}

/// The navigation, in its order on the page.
const ENTRIES: [(&str, &str); 9] = [
    ("/", "Overview"),
    ("/failed", "Failed events"),
    ("/indexers", "Index Management"),
    ("/schedules", "Schedules"),
    ("/history", "Order history"),
    ("/connector", "Connector"),
    ("/reports", "Reports"),
    ("/log", "Log"),
    ("/about", "About"),
];

impl Frame {
    /// Returns true if the viewer may run actions.
    pub fn is_operator(&self) -> bool {
        matches!(self.viewer, Viewer::Operator { .. })
    }

    /// Returns the operator's name, empty for an anonymous viewer.
    pub fn operator(&self) -> &str {
        match &self.viewer {
            Viewer::Operator { name } => name,
            Viewer::Anonymous => "",
        }
    }

    /// Returns the entries of the navigation.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        ENTRIES.into_iter().map(|(path, title)| Entry { path, title })
    }

    /// Returns true if the page belongs to the entry of the navigation with this path.
    pub fn is_at(&self, entry: &str) -> bool {
        self.page() == entry
    }

    /// Returns the address of the login page that leads back to this page.
    pub fn login_link(&self) -> String {
        link("/login", &[("next", &self.path)])
    }

    /// Returns true if this page offers a login.
    pub fn offers_login(&self) -> bool {
        self.login == Login::Possible && self.page() != "/login"
    }

    /// Returns true if the viewer's session can end before it expires.
    pub fn can_log_out(&self) -> bool {
        matches!(self.login, Login::Active { can_log_out: true })
    }

    /// Returns the time at which the page was made.
    pub fn stamp(&self) -> Stamp {
        Stamp::second(self.now)
    }

    fn page(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}
