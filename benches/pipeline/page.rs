//! The first page that an operator opens, with everything pending.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::fixture::Fixture;
use crate::{Args, say, wait};

/// Pages that are measured. Between two of them the daemon forgets what it read for the last one.
const ROUNDS: usize = 15;
const APART: Duration = Duration::from_secs(3);
/// Everything that a browser loads for the first page.
const PARTS: [&str; 4] = ["/", "/style.css", "/app.js", "/icon.svg"];

/// Measures time and size of the overview, and the daemon's CPU time while nobody looks.
pub fn page(args: &Args) -> anyhow::Result<()> {
    let fixture = Fixture::new(args.orders, args.batch_events)?;
    let (daemon, socket) = fixture.start_with_pages()?;
    wait(&fixture, &daemon, |seen| seen.valid)?;
    let pending = fixture.read_store()?.pending;
    // Everything that follows the sync ends meanwhile.
    sleep(Duration::from_secs(10));
    let bytes: usize = PARTS
        .iter()
        .map(|path| get(&socket, path))
        .sum::<anyhow::Result<usize>>()?;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        sleep(APART);
        let begun = Instant::now();
        get(&socket, "/")?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    say(&format!(
        "first page beside {pending} pending events: {:.1} ms, {:.1} ms at most (budget 50); {} KiB with style sheet, script and \
         icon (budget 60)",
        took[ROUNDS / 2].as_secs_f64() * 1000.0,
        took[ROUNDS - 1].as_secs_f64() * 1000.0,
        bytes.div_ceil(1024),
    ))
}

/// Returns the size of an answer.
fn get(socket: &Path, path: &str) -> anyhow::Result<usize> {
    let mut stream = UnixStream::connect(socket).context("the pages do not answer")?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.0 200 "), "{path} does not answer 200");
    Ok(answer.len())
}
