//! Start, schedules, wiring, drain, stop; and how commands talk to a running daemon.
//!
//! | file | what lives there |
//! |---|---|
//! | [`run`] | the daemon from start to stop |
//! | [`parts`] | the tasks that do the work |
//! | [`start`] | the lock, the store, and what it is bound to |
//! | [`lifecycle`], [`signals`], `reload` | signals, drain, abort; what SIGHUP and SIGUSR1 ask for |
//! | [`vitals`], `liveness` | what the parts note about themselves; whether the daemon works |
//! | `supervision` | what systemd is told |
//! | `admin`, `pages`, `metrics`, `snapshots` | the admin endpoint |
//! | [`sources`] | from the configuration to a source |
//! | [`jobs`], `schedule`, `realtime` | what is done when |
//! | `first_sync`, `comeback` | the first syncs under way; websites that export again |
//! | [`control`] | the control protocol: what may be asked and answered |
//! | [`resync`] | the options of `saas:resync` and which of them contradict each other |
//! | [`verify`], `verify_work`, `nightly` | the source against feed and outbox: by command, each night |
//! | [`socket`] | the Unix socket beside the store: where it is, making it, the client |
//! | [`serve`] | the daemon's side of it |
//! | [`work`] | the seams: who handles requests, and the work on the index that they may need |
//! | [`requests`], `store_requests`, [`index_work`], `resync_work`, `backfill_reply` | doing what was asked |
//! | [`persons`], `privacy` | the suppression list, and erasing a person |
//! | [`selection`] | which dead letters are meant |

mod admin;
pub mod control;
mod first_sync;
pub mod lifecycle;
pub mod requests;
pub mod run;
pub mod schedule;
pub mod sources;
pub mod tasks;
