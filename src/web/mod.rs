//! The web pages: templates, view models, the style sheet and the script. Pure: every page is a function of what the admin
//! endpoint read, so that each of its states is a snapshot in a test.
//!
//! Every page is complete without JavaScript. Texts of shops, shoppers and the edge are escaped by the templates; types that
//! write HTML themselves ([`parts`]) accept only numbers, times and words of the program.
//!
//! # Contract with the admin endpoint
//!
//! A form posts to `/actions/NAME`, form-encoded, with the field `next`: the path to return to. `/login` (GET and POST, fields
//! `password` and `next`) and `/logout` (POST) are the only other forms. A request's [`Frame`] is in its extensions.
//!
//! | module | content |
//! |---|---|
//! | [`about`], [`log`] | version and licences; the latest log lines and their runbooks |
//! | [`connector`] | the two connector pages |
//! | [`failed`], [`order`] | parked events; the timeline of an order |
//! | [`overview`], [`indexers`], [`schedules`], [`history`], [`reports`] | the present state |
//! | [`traffic`] | rates over the last day |
//! | `troubles` | the page that shows more about a problem |
//! | [`frame`] | what all pages share: viewer, time, path, notice |
//! | [`parts`] | times, links with filters, charts as SVG |
//! | [`shell`] | pages around the actions: login, confirmation, result, error |

pub mod about;
pub mod connector;
#[cfg(test)]
mod escaping;
pub mod failed;
pub mod frame;
pub mod history;
pub mod indexers;
pub mod log;
pub mod order;
pub mod overview;
pub mod parts;
pub mod reports;
pub mod schedules;
pub mod shell;
#[cfg(test)]
pub(crate) mod testing;
pub mod traffic;
mod troubles;

pub use crate::web::frame::{Frame, Login, Notice, Viewer};
pub use crate::web::shell::{ActionResult, Confirmation, confirm_page, error_page, login_page, result_page};

/// The style sheet, served as `/style.css`.
pub const STYLE: &str = include_str!("assets/style.css");

/// The script, served as `/app.js`.
pub const SCRIPT: &str = include_str!("assets/app.js");

/// The icon, served as `/icon.svg`.
pub const ICON: &str = include_str!("assets/icon.svg");

/// Renders a template.
fn rendered(template: impl askama::Template) -> String {
    // Writing into a string cannot fail, and no template calls anything that can.
    template.render().unwrap_or_default()
}
