//! Parts of pages that are not plain text: times, links with filters, charts.

mod bar;
mod chart;
mod link;
mod piece;
mod stamp;

pub use bar::Bar;
pub use chart::{Bars, Lines, Spark};
pub use link::{link, order_link};
pub use piece::{Piece, pieces};
pub use stamp::Stamp;
