//! The disk below the store, recorded and broken by a small library preloaded into the daemon (`disk.c`), and the
//! contents a power cut at any moment would have left on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Unit of atomic writes, in bytes.
const SECTOR: usize = 512;

/// Returns the library, built once per run. It is kept in the target directory, because a static temporary directory
/// would never be dropped.
pub fn library() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let dir = tempfile::tempdir_in(kept).unwrap();
        let path = dir.path().join("disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/disk.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&path)
            .args([source, "-ldl"])
            .output()
            .unwrap();
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        // Replaced atomically, because another run may be using the existing one.
        let library = kept.join("disk.so");
        std::fs::rename(path, &library).unwrap();
        library
    })
}

#[derive(Debug)]
enum Step {
    Write {
        file: usize,
        at: usize,
        data: Vec<u8>,
    },
    Truncate {
        file: usize,
        size: usize,
    },
    Sync {
        file: usize,
    },
    /// A complete request was sent to the edge.
    Sent(Vec<u8>),
}

/// The record of the daemon's writes, syncs and requests.
#[derive(Debug)]
pub struct Record {
    begin: [Vec<u8>; 2],
    steps: Vec<Step>,
}

/// The fate of unsynced writes.
#[derive(Clone, Copy, Debug)]
pub enum Unsynced {
    Lost,
    Kept,
    /// Each sector at random, with this seed.
    Torn(u64),
    /// None arrived, and syncs had no effect.
    NeverSynced,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

impl Record {
    /// Reads `log`. `begin` has the contents of the files when it began.
    pub fn read(log: &Path, begin: [Vec<u8>; 2]) -> Self {
        let bytes = std::fs::read(log).unwrap_or_default();
        let mut steps = Vec::new();
        let mut streams: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        let mut rest = bytes.as_slice();
        while rest.len() >= 26 {
            let (head, tail) = rest.split_at(26);
            let number = |from: usize| i64::from_le_bytes(head[from..from + 8].try_into().unwrap());
            let (at, size, fd) = (number(2), usize::try_from(number(10)).unwrap(), number(18));
            if tail.len() < size {
                break;
            }
            let (data, tail) = tail.split_at(size);
            rest = tail;
            let (file, at) = (usize::from(head[1]), usize::try_from(at).unwrap());
            match head[0] {
                b'W' => steps.push(Step::Write {
                    file,
                    at,
                    data: data.to_vec(),
                }),
                b'T' => steps.push(Step::Truncate { file, size: at }),
                b'S' => steps.push(Step::Sync { file }),
                _ => {
                    let stream = streams.entry(fd).or_default();
                    stream.extend_from_slice(data);
                    steps.extend(take_requests(stream).into_iter().map(Step::Sent));
                }
            }
        }
        Self { begin, steps }
    }

    /// Returns the number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Returns the contents of store and WAL after a power cut following `steps` steps.
    pub fn after(&self, steps: usize, unsynced: Unsynced) -> [Vec<u8>; 2] {
        let mut files = self.begin.clone();
        let mut waiting: [Vec<&Step>; 2] = [Vec::new(), Vec::new()];
        for step in &self.steps[..steps] {
            match step {
                Step::Write { file, .. } | Step::Truncate { file, .. } => waiting[*file].push(step),
                Step::Sync { .. } if matches!(unsynced, Unsynced::NeverSynced) => {}
                Step::Sync { file } => {
                    for step in waiting[*file].drain(..) {
                        apply(&mut files[*file], step, &mut |_| true);
                    }
                }
                Step::Sent(_) => {}
            }
        }
        let mut dice = fastrand::Rng::with_seed(match unsynced {
            Unsynced::Torn(seed) => seed,
            Unsynced::Lost | Unsynced::Kept | Unsynced::NeverSynced => 0,
        });
        for (file, waiting) in files.iter_mut().zip(waiting) {
            for step in waiting {
                apply(file, step, &mut |_| match unsynced {
                    Unsynced::Lost | Unsynced::NeverSynced => false,
                    Unsynced::Kept => true,
                    Unsynced::Torn(_) => dice.bool(),
                });
            }
        }
        files
    }

    /// Returns the events sent in the first `steps` steps, by id, with their bytes.
    pub fn sent_before(&self, steps: usize) -> BTreeMap<String, Vec<u8>> {
        let mut sent = BTreeMap::new();
        for step in &self.steps[..steps] {
            let Step::Sent(body) = step else { continue };
            let Ok(body) = serde_json::from_slice::<Body<'_>>(body) else {
                continue;
            };
            for event in body.events {
                let json: serde_json::Value = serde_json::from_str(event.get()).unwrap();
                let id = json["xdm"]["_id"].as_str().unwrap().to_owned();
                sent.insert(id, event.get().as_bytes().to_vec());
            }
        }
        sent
    }
}

/// Returns the contents of store and WAL.
pub fn files(store: &Path) -> [Vec<u8>; 2] {
    [store.to_owned(), log_of(store)].map(|path| std::fs::read(path).unwrap_or_default())
}

/// Writes store and WAL, as a restarted machine would find them.
pub fn put(store: &Path, [database, log]: &[Vec<u8>; 2]) {
    std::fs::write(store, database).unwrap();
    std::fs::write(log_of(store), log).unwrap();
    let _ = std::fs::remove_file(with(store, "-shm"));
}

fn log_of(store: &Path) -> PathBuf {
    with(store, "-wal")
}

fn with(store: &Path, end: &str) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(end);
    path.into()
}

fn apply(file: &mut Vec<u8>, step: &Step, arrives: &mut impl FnMut(usize) -> bool) {
    match step {
        Step::Truncate { size, .. } => {
            if arrives(0) {
                file.resize(*size, 0);
            }
        }
        Step::Write { at, data, .. } => {
            for (sector, part) in data.chunks(SECTOR).enumerate() {
                let from = at + sector * SECTOR;
                if !arrives(sector) {
                    continue;
                }
                if file.len() < from + part.len() {
                    file.resize(from + part.len(), 0);
                }
                file[from..from + part.len()].copy_from_slice(part);
            }
        }
        Step::Sync { .. } | Step::Sent(_) => {}
    }
}

/// Takes the bodies of the complete requests out of `stream`.
fn take_requests(stream: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while let Some(end) = stream.windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&stream[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let whole = end + 4 + length.unwrap_or(0usize);
        if stream.len() < whole {
            break;
        }
        bodies.push(stream[end + 4..whole].to_vec());
        stream.drain(..whole);
    }
    bodies
}
