//! Start, schedules, wiring, drain, stop; and how commands talk to a running daemon.
//!
//! | file | what lives there |
//! |---|---|
//! | [`control`] | the control protocol: what may be asked and answered |
//! | [`resync`] | the options of `saas:resync` and which of them contradict each other |
//! | [`socket`] | the Unix socket beside the store: where it is, making it, the client |
//! | [`serve`] | the daemon's side of it |
//! | [`work`] | the seams: who handles requests, and the work on the index that they may need |
//! | [`requests`], `store_requests` | doing what was asked |
//! | [`selection`] | which dead letters are meant |

pub mod control;
pub mod requests;
pub mod resync;
pub mod selection;
pub mod serve;
pub mod socket;
mod store_requests;
pub mod work;
