//! `privacy erase`, down to the bytes of the store's files.

use std::path::Path;

use crate::privacy::fixture::{
    JANE, MARK, assign_to_jane, expected_apart, hash, json, pending_fixture, recording_edge, states,
    with_jane,
};
use crate::support::daemon::{Installation, eventually};
use crate::support::embedded::ShopFixture;

/// First bytes of a compressed batch.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Length of the number of the next page at the start of an overflow page, in bytes.
const CHAIN: usize = 4;
const PAGE: usize = 4096;

/// Returns the places in the store's files with Jane's data: in plain text, and in compressed batches, including
/// those no row refers to. Overflow chains are followed by the numbers in their pages.
fn traces(installation: &Installation) -> Vec<String> {
    let mut traces = Vec::new();
    for name in ["orderfeed.db", "orderfeed.db-wal", "orderfeed.db-shm"] {
        let Ok(bytes) = std::fs::read(installation.path(name)) else {
            continue;
        };
        for (what, needle) in needles() {
            if contains(&bytes, &needle) {
                traces.push(format!("{what} in plain in {name}"));
            }
        }
        let starts = bytes.windows(4).enumerate().filter(|(_, window)| *window == ZSTD);
        for (start, _) in starts {
            let unpacked = unpack(&bytes, start);
            for (what, needle) in needles() {
                if contains(&unpacked, &needle) {
                    traces.push(format!("{what} in a batch at {start} of {name}"));
                }
            }
        }
    }
    traces
}

fn needles() -> [(&'static str, Vec<u8>); 2] {
    [
        ("the hash", hash().into_bytes()),
        ("her name", MARK.as_bytes().to_vec()),
    ]
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes
        .windows(needle.len())
        .any(|window| window.eq_ignore_ascii_case(needle))
}

/// Decompresses as much as possible of a frame at `start`, which may continue in other pages.
fn unpack(bytes: &[u8], start: usize) -> Vec<u8> {
    use std::io::Read;
    let own_page = start / PAGE * PAGE + PAGE;
    let mut packed = bytes[start..own_page.min(bytes.len())].to_vec();
    let direct = bytes[start..bytes.len().min(start + 200_000)].to_vec();
    // The number of the first overflow page follows the part stored in the row. Try each position in the page.
    let mut best = Vec::new();
    let mut candidates = vec![direct];
    for at in (start + 40)
        ..own_page
            .saturating_sub(CHAIN)
            .min(bytes.len().saturating_sub(CHAIN))
    {
        let page = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if page > 1 && page * PAGE <= bytes.len() {
            packed.truncate(at - start);
            let mut whole = packed.clone();
            follow(bytes, page, &mut whole);
            candidates.push(whole);
            packed = bytes[start..own_page].to_vec();
        }
    }
    for candidate in candidates {
        let mut unpacked = Vec::new();
        if let Ok(mut decoder) = zstd::stream::read::Decoder::new(candidate.as_slice()) {
            let mut chunk = [0; 1024];
            while let Ok(read @ 1..) = decoder.read(&mut chunk) {
                unpacked.extend_from_slice(&chunk[..read]);
            }
        }
        if unpacked.len() > best.len() {
            best = unpacked;
        }
    }
    best
}

fn follow(bytes: &[u8], mut page: usize, whole: &mut Vec<u8>) {
    for _ in 0..64 {
        let start = (page - 1) * PAGE;
        let Some(content) = bytes.get(start..start + PAGE) else {
            return;
        };
        whole.extend_from_slice(&content[CHAIN..]);
        page = u32::from_be_bytes(content[..CHAIN].try_into().unwrap()) as usize;
        if page < 2 || page * PAGE > bytes.len() {
            return;
        }
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_person_is_in_no_byte_of_the_store_and_nothing_is_sent_twice() {
    let edge = recording_edge().await;
    let fixture = ShopFixture::new(&edge.server_url(), 40);
    fixture.installation.layer(
        "full",
        "[privacy]\nprofile = \"full\"\n[delivery]\nmax_batch_events = 4\n",
    );
    let janes = assign_to_jane(&fixture, 3);
    let expected = fixture.expected();
    let daemon = fixture.installation.start_and_wait();
    eventually("everything arrives", || fixture.is_served(&edge, expected.len()));
    assert!(
        !traces(&fixture.installation).is_empty(),
        "the search finds what is there"
    );
    let (own, _) = expected_apart(&fixture, &janes);

    let erase = |args: &[&str]| {
        let args: Vec<_> = ["privacy", "erase", "--email", "-", "--json"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        json(&with_jane(&fixture.installation, &args).ok())
    };
    let dry = erase(&["--dry-run"]);
    assert_eq!(
        (&dry["sent"], &dry["listed"]),
        (&own.len().into(), &0.into()),
        "{dry}"
    );
    // Beside the running daemon.
    let done = erase(&[]);
    for (what, count) in [
        ("sent", own.len()),
        ("waiting", 0),
        ("listed", 1),
        ("orders", 3),
        ("under_way", 0),
    ] {
        assert_eq!(done[what], count, "{what} of {done}");
    }
    assert_eq!(done["log_emptied"], true, "{done}");
    assert_eq!(traces(&fixture.installation), Vec::<String>::new());
    for (state, notes) in states(&fixture, janes[0]) {
        assert_eq!(state, "delivered");
        assert!(notes.contains("erased by `orderfeed privacy erase`"), "{notes}");
    }
    let again = erase(&[]);
    assert_eq!(
        (&again["sent"], &again["listed"]),
        (&0.into(), &0.into()),
        "{again}"
    );

    // The events never return: not from the shop's rows, a forced resend or a restart.
    let requests = edge.totals().duplicates;
    fixture.installation.send_all_again();
    assert_eq!(
        edge.totals().duplicates - requests,
        (expected.len() - own.len()) as u64
    );
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(traces(&fixture.installation), Vec::<String>::new());
    assert_eq!(size(&fixture.installation.path("orderfeed.db-wal")), 0);
    assert_eq!(edge.bytes_changed(), Vec::<String>::new());
    assert!(!fixture.installation.log().to_lowercase().contains(MARK));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pending_and_parked_events_are_erased_without_a_daemon_and_optionally_without_the_list() {
    let waiting = pending_fixture(30, 3, "[privacy]\nprofile = \"full\"\n", |_| {}).await;
    let fixture = &waiting.fixture;
    let erase = [
        "privacy",
        "erase",
        "--email",
        "-",
        "--json",
        "--without-suppression",
    ];
    let done = json(&with_jane(&fixture.installation, &erase).ok());
    assert_eq!(
        (&done["waiting"], &done["listed"]),
        (&waiting.own.len().into(), &0.into()),
        "{done}"
    );
    assert_eq!(traces(&fixture.installation), Vec::<String>::new());
    let binary = orderfeed_events::person(JANE).unwrap();
    let store = std::fs::read(fixture.installation.path("orderfeed.db")).unwrap();
    assert!(!contains(&store, &binary), "she is on no list");
    assert!(
        states(fixture, waiting.janes[0])
            .iter()
            .all(|(state, _)| state == "suppressed")
    );
    waiting.assert_only_others_arrive(fixture.installation.start_and_wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_body_retention_nothing_of_a_full_payload_is_left() {
    let edge = recording_edge().await;
    let fixture = ShopFixture::new(&edge.server_url(), 30);
    fixture.installation.layer(
        "full",
        "[privacy]\nprofile = \"full\"\n[store]\nbody_retention = \"1s\"\n[cron]\ncleanup_delivered_events = \"* * * * * *\"\n",
    );
    assign_to_jane(&fixture, 3);
    let expected = fixture.expected();
    let daemon = fixture.installation.start_and_wait();
    eventually("everything arrives", || fixture.is_served(&edge, expected.len()));
    eventually("the bodies are removed", || {
        fixture
            .installation
            .read_store(|reader| Ok(reader.batches_with_body(0, 1)?.is_empty()))
            == Some(true)
    });
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(traces(&fixture.installation), Vec::<String>::new());
}
