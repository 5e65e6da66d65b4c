//! The operators of the daemon: they resync, retry, pause, switch and reload at the worst moment.

use std::sync::Arc;

use fastrand::Rng;
use orderfeed::config::{Config, HumanDuration};
use orderfeed::daemon::control::resync::ResyncOptions;
use orderfeed::daemon::control::selection::{Key, Selection};
use orderfeed::daemon::control::{ReindexOptions, Request, Status};
use orderfeed::daemon::requests::Requests;
use orderfeed::store::Store;
use orderfeed::store::outbox::ParkedFilter;
use orderfeed::store::views::ViewMode;
use tokio::sync::mpsc;

use super::world::World;
use super::{DATASTREAMS, datastream_website, website};

/// Draws the next request of an operator.
pub fn request(rng: &mut Rng, world: &World) -> Request {
    let code = || Some(DATASTREAMS[0].0.to_owned());
    match rng.u8(..16) {
        0 => Request::SetMode {
            mode: ViewMode::Realtime,
        },
        1 => Request::SetMode {
            mode: ViewMode::Schedule,
        },
        2 => Request::Reset,
        3 => Request::SetStatus {
            status: Status::Suspended,
            by: None,
        },
        4 => Request::SetStatus {
            status: Status::Valid,
            by: None,
        },
        5 => Request::Reindex(ReindexOptions {
            batch_size: Some(rng.u32(1..20)),
        }),
        6 => Request::PauseDelivery {
            website: rng.bool().then(code).flatten(),
        },
        7 | 8 => Request::ResumeDelivery { website: None },
        9 => Request::RetryParked(Selection::default()),
        10 => Request::CronRun {
            job: "cleanup_delivered_events".to_owned(),
        },
        11 => Request::CronRun {
            job: "indexer_clean_all_changelogs".to_owned(),
        },
        _ => Request::Resync(resync(rng, world)),
    }
}

fn resync(rng: &mut Rng, world: &World) -> ResyncOptions {
    let known = world.with(|state| state.shop.orders.keys().copied().max().unwrap_or(1));
    let mut options = ResyncOptions {
        batch_size: rng.bool().then(|| rng.u32(1..30)),
        thread_count: rng.bool().then(|| rng.u32(1..4)),
        ..ResyncOptions::default()
    };
    match rng.u8(..7) {
        0 => options.force = true,
        1 => options.cleanup_feed = true,
        2 => options.no_reindex = true,
        3 => options.continue_resync = true,
        4 => options.dry_run = true,
        5 => {
            options.by_ids = (0..3).map(|_| rng.i64(1..=known).to_string()).collect();
            options.force = rng.bool();
        }
        _ => {}
    }
    options
}

/// Sends a request and waits for the answer. A refusal is valid too.
pub async fn ask(world: Arc<World>, handler: Arc<Requests>, request: Request) {
    // Resent events have no defined position among the others.
    if matches!(&request, Request::Resync(options) if options.force) {
        world.with(|state| state.edge.all_tainted = true);
    }
    let (replies, mut taken) = mpsc::channel(4);
    world.note(|| format!("asked: {request:?}"));
    let listening = async move { while taken.recv().await.is_some() {} };
    let (answer, ()) = tokio::join!(handler.handle(&request, replies), listening);
    world.note(|| match answer {
        Ok(outcome) => format!("answer: {}", without_time(&format!("{outcome:?}"))),
        Err(error) => format!("refused: {}", without_pid(&error.to_string())),
    });
}

/// Discards some parked events, which need not arrive.
pub async fn discard(world: Arc<World>, handler: Arc<Requests>, store: Store) {
    let Ok(parked) = store
        .read(|reader| reader.parked(&ParkedFilter::default(), 2))
        .await
    else {
        return;
    };
    let keys: Vec<Key> = parked.iter().map(|event| Key(event.key)).collect();
    if keys.is_empty() {
        return;
    }
    world.with(|state| {
        for Key(key) in &keys {
            state
                .given_up
                .insert(super::checks::id_of(key.kind, key.document));
            state.edge.tainted.insert(key.order);
        }
    });
    let selection = Selection {
        keys,
        ..Selection::default()
    };
    let reason = "nobody needs it".to_owned();
    ask(world, handler, Request::DiscardParked { selection, reason }).await;
}

/// Edits the configuration for a reload.
pub fn edit(config: &mut Config, rng: &mut Rng) {
    let code = DATASTREAMS[rng.usize(..DATASTREAMS.len())].0;
    match rng.u8(..6) {
        0 | 1 => {
            if let Some(website) = config.websites.get_mut(code) {
                website.back_office_events = !website.back_office_events;
            }
        }
        2 => {
            if config.websites.remove(code).is_none() {
                config
                    .websites
                    .insert(code.to_owned(), website(datastream_website(code)));
            }
        }
        3 => config.delivery.lanes = rng.usize(1..12),
        4 => config.delivery.max_batch_events = rng.usize(1..40),
        _ => config.delivery.retry.max = HumanDuration::from_secs(rng.u64(2..300)),
    }
}

/// Removes process ids and durations, the only differences between two runs of a seed.
fn without_pid(text: &str) -> String {
    text.split('(').next().unwrap_or_default().to_owned()
}

fn without_time(text: &str) -> String {
    text.replace(&std::process::id().to_string(), "pid")
}
