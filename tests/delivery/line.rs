//! An HTTP transport that records the start of each request and the arrival of its answer, and that can hold answers
//! back. Pauses are checked against these times, which are the ones delivery can act on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use orderfeed::delivery::http::transport::{
    Connector, ExchangeFuture, HttpTransport, OutboundRequest, Transport,
};
use tokio::sync::watch;

/// Longest time from receiving an answer to applying it: a few instructions, and on a busy machine another thread's
/// time slice.
const APPLIED_WITHIN: Duration = Duration::from_millis(400);

/// The connection to the edge.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    memory: Arc<Mutex<Memory>>,
    /// True while answers are held back.
    closed: watch::Sender<bool>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            memory: Arc::default(),
            closed: watch::Sender::new(false),
        }
    }
}

#[derive(Debug, Default)]
struct Memory {
    /// Start of each request, by datastream.
    began: HashMap<String, Vec<Instant>>,
    /// Answers that requested a pause in seconds: datastream, arrival and length of the pause.
    asked: Vec<(String, Instant, Duration)>,
}

#[derive(Debug)]
struct RecordingTransport {
    http: HttpTransport,
    line: Connection,
}

impl Connection {
    /// Returns a connector whose transport uses this line.
    pub(crate) fn connector(&self) -> Connector {
        let line = self.clone();
        Connector::new(move |config| {
            let http = HttpTransport::new(config)?;
            let line = line.clone();
            Ok(Arc::new(RecordingTransport { http, line }))
        })
    }

    /// Holds all answers back from now on.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) fn open(&self) {
        self.closed.send_replace(false);
    }

    /// Asserts that no request to a datastream began within a pause whose answer delivery had already read. The
    /// pauses must be at least a second long.
    #[track_caller]
    pub(crate) fn assert_pauses_kept(&self) {
        let memory = self.memory.lock().unwrap();
        assert!(!memory.asked.is_empty(), "no answer asked for a pause");
        for (datastream, at, pause) in &memory.asked {
            let within = |began: &&Instant| **began > *at + APPLIED_WITHIN && **began < *at + *pause;
            let early: Vec<_> = memory.began[datastream].iter().filter(within).collect();
            assert!(
                early.is_empty(),
                "asked at {at:?} for {pause:?}, requests at {early:?}"
            );
        }
    }
}

impl Transport for RecordingTransport {
    fn exchange(&self, call: OutboundRequest) -> ExchangeFuture<'_> {
        Box::pin(async move {
            let datastream = call
                .url
                .query_pairs()
                .find_map(|(name, value)| (name == "datastreamId").then(|| value.into_owned()));
            let Some(datastream) = datastream else {
                return self.http.exchange(call).await;
            };
            let began = Instant::now();
            let times = |memory: &mut Memory| memory.began.entry(datastream.clone()).or_default().push(began);
            times(&mut self.line.memory.lock().unwrap());
            let reply = self.http.exchange(call).await;
            let mut closed = self.line.closed.subscribe();
            let _ = closed.wait_for(|closed| !closed).await;
            let seconds = reply
                .as_ref()
                .ok()
                .and_then(|reply| reply.retry_after.as_ref()?.parse().ok());
            if let Some(seconds) = seconds {
                let asked = (datastream, Instant::now(), Duration::from_secs(seconds));
                self.line.memory.lock().unwrap().asked.push(asked);
            }
            reply
        })
    }
}
