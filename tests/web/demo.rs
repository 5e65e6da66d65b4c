//! The pages of `orderfeed demo`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::daemon::{binary, eventually};
use crate::web::client::{Client, Endpoint};

#[test]
fn the_demo_serves_its_pages_with_a_login() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = binary();
    command
        .args(["demo", "--orders", "20", "--duration", "60s", "--keep"])
        .arg(directory.path().join("demo"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let mut lines = BufReader::new(demo.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let address = lines.find_map(|line| {
        Some(
            line.strip_prefix("Web pages: http://")?
                .trim_end_matches('/')
                .to_owned(),
        )
    });
    let password = lines.find_map(|line| {
        Some(
            line.strip_prefix("Log in with the password ")?
                .split(' ')
                .next()?
                .to_owned(),
        )
    });
    let endpoint = Endpoint::Tcp(address.unwrap().parse().unwrap());
    // Read on, so that the demo never waits for a full pipe.
    let reading = std::thread::spawn(move || lines.count());
    let browser = Client::browser(&endpoint);
    eventually("the page answers", || {
        browser
            .send("GET", "/", None)
            .is_some_and(|answer| answer.status == 200)
    });
    let operator = browser.logged_in(&password.unwrap());
    eventually("the page moves", || {
        operator.get("/").body.contains("last accepted")
    });
    demo.kill().unwrap();
    demo.wait().unwrap();
    reading.join().unwrap();
}
