//! Start, schedules, wiring, drain, stop; and how commands talk to a running daemon.
//!
//! | file | what lives there |
//! |---|---|
//! | [`run`] | the daemon from start to stop |
//! | [`start`] | the lock, the store, and what it is bound to |
//! | [`lifecycle`], `reload` | signals, drain, abort; SIGHUP |
//! | [`sources`] | from the configuration to a source |
//! | [`jobs`], `schedule`, `realtime` | what is done when |
//! | `first_sync` | the first syncs under way |
//! | [`control`] | the control protocol: what may be asked and answered |
//! | [`resync`] | the options of `saas:resync` and which of them contradict each other |
//! | [`socket`] | the Unix socket beside the store: where it is, making it, the client |
//! | [`serve`] | the daemon's side of it |
//! | [`work`] | the seams: who handles requests, and the work on the index that they may need |
//! | [`requests`], `store_requests`, [`index_work`], `resync_work`, `walk_reply` | doing what was asked |
//! | [`selection`] | which dead letters are meant |

pub mod control;
mod first_sync;
pub mod index_work;
pub mod jobs;
pub mod lifecycle;
mod realtime;
mod reload;
pub mod requests;
pub mod resync;
mod resync_work;
pub mod run;
mod schedule;
pub mod selection;
pub mod serve;
pub mod socket;
pub mod sources;
pub mod start;
mod store_requests;
mod walk_reply;
pub mod work;
