//! Any request to the emulator, well-formed or not: an answer or a closed connection, and never a panic or a hang.

use std::cell::OnceCell;
use std::time::Duration;

use orderfeed_emulator::{DEFAULT_CLIENT, DEFAULT_DATASTREAM, Emulator, EmulatorConfig, EmulatorHandle};
use orderfeed_model::clock::{Clock, UtcMillis};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::Runtime;

use super::feed::Feed;

const START: UtcMillis = UtcMillis(1_795_330_800_000);
/// Paths of the well-formed requests.
const TARGETS: [&str; 10] = [
    "/ee/v2/collect?datastreamId=DATASTREAM&requestId=a",
    "/ee/irl1/v1/collect?configId=DATASTREAM",
    "/ee/v2/interact?dataStreamId=DATASTREAM&syncValidation=true",
    "/ee/v1/interact?configId=DATASTREAM&silent=true",
    "/ims/token/v3",
    "/ee/v1/privacy/set-consent?configId=DATASTREAM",
    "/collection/inlet?syncValidation=true",
    "/collection/batch/inlet",
    "/ee/v2/collect",
    "/ee/v1/identity/acquire?configId=DATASTREAM",
];
const CONTROLS: [&str; 6] = [
    "/__mock/script",
    "/__mock/config",
    "/__mock/clock",
    "/__mock/reset",
    "/__mock/ledger?summary=1",
    "/__mock/ledger?id=x&limit=3&since=1",
];
const TYPES: [&str; 3] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain",
];

struct Fixture {
    emulator: EmulatorHandle,
    config: EmulatorConfig,
    token: String,
    // The last field, so that the tasks running on it are dropped first.
    runtime: Runtime,
}

thread_local! {
    static RIG: OnceCell<Fixture> = const { OnceCell::new() };
}

pub fn check(data: &[u8]) {
    answer(data);
}

/// Returns the answer of the emulator.
pub fn answer(data: &[u8]) -> Vec<u8> {
    RIG.with(|fixture| {
        let fixture = fixture.get_or_init(Fixture::start);
        let mut feed = Feed::new(data);
        let side = feed.byte() % 8;
        let request = fixture.request(side, &mut feed);
        let answer = fixture.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(20), fixture.converse(side, &request))
                .await
                .expect("an exchange ends")
        });
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1."),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        fixture.restore();
        answer
    })
}

impl Fixture {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut config = EmulatorConfig {
            strict_xdm: true,
            keep_bodies: true,
            ..EmulatorConfig::default()
        };
        config.inlets.insert("inlet".to_owned(), Default::default());
        let emulator = runtime
            .block_on(Emulator::start_with_clock(config.clone(), Clock::manual(START)))
            .expect("the emulator starts");
        let token = emulator.issue_token(DEFAULT_CLIENT).expect("the client is known");
        Self {
            emulator,
            config,
            token,
            runtime,
        }
    }

    /// Returns the input itself, or an otherwise well-formed request with the input as its body.
    fn request(&self, side: u8, feed: &mut Feed<'_>) -> Vec<u8> {
        if feed.byte().is_multiple_of(8) {
            return feed.remainder().to_vec();
        }
        let target = match side {
            0 => feed.pick(&CONTROLS),
            _ => feed.pick(&TARGETS),
        };
        let method = feed.pick(&["POST", "POST", "POST", "GET"]);
        let kind = feed.pick(&TYPES);
        let body = feed.remainder();
        // Pages send plain text, and the Web SDK's cookies to a first-party edge.
        let page = match kind {
            "text/plain" => {
                "origin: https://x\r\ncookie: kndctr_53A16ACB5CC1D3760A495C99_AdobeOrg_identity=CiY%3D\r\n"
            }
            _ => "",
        };
        let head = format!(
            "{method} {} HTTP/1.1\r\nhost: x\r\n{page}authorization: Bearer {}\r\nx-api-key: {DEFAULT_CLIENT}\r\n\
             x-gw-ims-org-id: {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            target.replace("DATASTREAM", DEFAULT_DATASTREAM),
            self.token,
            orderfeed_emulator::DEFAULT_ORG,
            body.len(),
        );
        [head.as_bytes(), body].concat()
    }

    async fn converse(&self, side: u8, request: &[u8]) -> Vec<u8> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let served = async {
            match side {
                0 => self.emulator.converse_as_control(theirs).await,
                1..=3 => self.emulator.converse_as_edge(theirs).await,
                _ => self.emulator.converse_as_server(theirs).await,
            }
        };
        tokio::join!(served, speak(ours, request)).1
    }

    /// Restores the state before the request, which the control interface may have changed.
    fn restore(&self) {
        self.emulator.configure(|config| *config = self.config.clone());
        self.emulator.set_clock(START);
        self.emulator.reset();
    }
}

async fn speak(stream: DuplexStream, request: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let write = async move {
        // The peer may have closed the connection already.
        let _ = writer.write_all(request).await;
        // Lets the emulator answer before the input ends: everything runs on this thread.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let _ = writer.shutdown().await;
    };
    let (_, _) = tokio::join!(write, reader.read_to_end(&mut answer));
    answer
}
