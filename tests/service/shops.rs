//! Several shops on one host: each has its own file, store and daemon, one that is broken changes nothing for the others, and
//! `shops status` shows all of them.

use std::time::{Duration, Instant};

use orderfeed_emulator::EmulatorHandle;
use serde_json::Value;

use crate::support::daemon::{Daemon, Installation, Ran, eventually};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Orders in the history of each shop.
const ORDERS: usize = 30;
/// Time limit for one shop in `shops status`, and the rest of the command on a busy machine.
const LIMIT: Duration = Duration::from_secs(5);
const REST: Duration = Duration::from_secs(25);

/// A shop with an edge of its own, so that its events are counted apart.
struct Tenant {
    name: &'static str,
    edge: EmulatorHandle,
    fixture: ShopFixture,
}

impl Tenant {
    /// Creates a shop whose configuration file is in the directory of the host.
    async fn new(host: &Installation, name: &'static str) -> Self {
        let edge = edge::start().await;
        let fixture = ShopFixture::new(&edge.server_url(), ORDERS);
        let tenant = Self { name, edge, fixture };
        host.write(&format!("shops/{name}.toml"), &tenant.config());
        tenant
    }

    /// Returns the configuration of the fixture, whose files are not beside those of the host.
    fn config(&self) -> String {
        let mut text = std::fs::read_to_string(self.fixture.installation.path("orderfeed.toml")).unwrap();
        for file in ["orderfeed.db", "shop.db"] {
            let path = self.fixture.installation.path(file);
            text = text.replace(&format!("\"{file}\""), &format!("\"{}\"", path.display()));
        }
        text
    }

    fn start(&self, host: &Installation) -> Daemon {
        host.start_with(|command| {
            command.args(["--shop", self.name]);
        })
    }

    fn is_served(&self) -> bool {
        self.fixture.is_served(&self.edge, self.fixture.expected().len())
    }

    /// Places an order and waits until all its events are at the edge.
    fn trade(&mut self) {
        self.fixture.place();
        eventually("a new order of another shop arrives", || self.is_served());
    }
}

fn host() -> Installation {
    let host = Installation::new("# Every shop has a file in the directory shops.\n");
    std::fs::create_dir(host.path("shops")).unwrap();
    host
}

/// Runs `shops status --json` and returns the rows by shop.
fn rows(ran: &Ran) -> serde_json::Map<String, Value> {
    let status: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(status["version"], 1);
    let rows = status["shops"].as_array().unwrap().iter();
    rows.map(|row| (row["shop"].as_str().unwrap().to_owned(), row.clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_shop_changes_nothing_for_the_others_and_status_shows_it() {
    let host = host();
    let mut agency = Tenant::new(&host, "agency").await;
    let mut bakery = Tenant::new(&host, "bakery").await;
    let cellar = Tenant::new(&host, "cellar").await;
    let daemons = [&agency, &bakery, &cellar].map(|shop| shop.start(&host));
    for shop in [&agency, &bakery, &cellar] {
        eventually("every shop is served", || shop.is_served());
    }
    let ran = host.run(&["shops", "status", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let all = rows(&ran);
    for (name, daemon) in ["agency", "bakery", "cellar"].iter().zip(&daemons) {
        let row = &all[*name];
        assert_eq!(
            (&row["running"], &row["error"]),
            (&true.into(), &Value::Null),
            "{row}"
        );
        assert_eq!(row["pid"], daemon.pid(), "each has its own daemon: {row}");
        assert_eq!(
            (&row["backlog"], &row["pending"], &row["lag_ms"]),
            (&0.into(), &0.into(), &0.into())
        );
        assert_eq!(row["role"], "single");
        let memory = row["memory_bytes"].as_u64().unwrap();
        assert!((1 << 20..1 << 30).contains(&memory), "{memory}");
    }

    // One daemon is killed, and its store is overwritten.
    let [of_agency, of_bakery, of_cellar] = daemons;
    of_cellar.kill();
    let store = |name: &str| cellar.fixture.installation.path(name);
    for log in ["orderfeed.db-wal", "orderfeed.db-shm"] {
        // SQLite would restore the store from its log.
        let _ = std::fs::remove_file(store(log));
    }
    std::fs::write(store("orderfeed.db"), "this is not a database".repeat(1_000)).unwrap();
    let code = cellar.start(&host).exit_within(Duration::from_secs(60)).code();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    // The file of another is edited wrongly while its daemon runs.
    let of_file = bakery.config();
    host.write("shops/bakery.toml", &format!("{of_file}\nno_such_key = 1\n"));
    agency.trade();
    bakery.trade();

    let ran = host.run(&["shops", "status", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let all = rows(&ran);
    assert_eq!(
        (&all["agency"]["running"], &all["agency"]["error"]),
        (&true.into(), &Value::Null)
    );
    assert_eq!(all["agency"]["pid"], of_agency.pid());
    let row = &all["bakery"];
    assert_eq!(
        (&row["running"], &row["pid"]),
        (&true.into(), &of_bakery.pid().into()),
        "{row}"
    );
    assert!(row["error"].as_str().unwrap().contains("no_such_key"), "{row}");
    let row = &all["cellar"];
    assert_eq!(
        (&row["running"], &row["pid"], &row["lag_ms"]),
        (&false.into(), &Value::Null, &Value::Null)
    );
    assert!(row["error"].as_str().unwrap().contains("damaged"), "{row}");
    let table = host.run(&["shops", "status"]);
    let line = |name: &str| {
        table
            .stdout
            .lines()
            .find(|line| line.contains(name))
            .unwrap()
            .to_owned()
    };
    assert!(line("agency").contains("| running "), "{}", table.stdout);
    assert!(line("bakery").contains("| running? "), "{}", table.stdout);
    assert!(line("cellar").contains("| BROKEN "), "{}", table.stdout);

    // Commands address a shop by its name, and the others keep running.
    let stopped = host.run(&["--shop", "agency", "delivery", "pause"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    agency.fixture.place();
    host.write("shops/bakery.toml", &of_file);
    bakery.trade();
    let ran = host.run(&["shops", "status", "agency", "bakery", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let all = rows(&ran);
    assert_eq!(all.len(), 2);
    assert_eq!(
        all["agency"]["problem"]["kind"], "delivery_paused",
        "{}",
        all["agency"]
    );
    assert_eq!(
        (&all["bakery"]["problem"], &all["bakery"]["pending"]),
        (&Value::Null, &0.into())
    );
    host.run(&["--shop", "agency", "delivery", "resume"]).ok();
    eventually("the paused order arrives", || agency.is_served());
}

#[test]
fn shops_that_hang_cost_one_time_limit_and_hide_nothing() {
    let host = host();
    // Reading a pipe without a writer never ends, as on a disk that hangs.
    for name in ["hang-1", "hang-2", "hang-3"] {
        let pipe = host.path(&format!("shops/{name}.toml"));
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe, rustix::fs::Mode::RUSR).unwrap();
    }
    host.write(
        "shops/never-started.toml",
        &edge::config("http://127.0.0.1:9", ""),
    );
    host.write("shops/my shop.toml", "");
    let started = Instant::now();
    let ran = host.run(&["shops", "status", "--json"]);
    let took = started.elapsed();
    assert!((LIMIT..LIMIT + REST).contains(&took), "{took:?}");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let all = rows(&ran);
    assert_eq!(all.len(), 5);
    for name in ["hang-1", "hang-2", "hang-3"] {
        assert_eq!(all[name]["error"], "no answer within 5 s");
        assert_eq!(all[name]["running"], false);
    }
    let name = all["my shop"]["error"].as_str().unwrap();
    assert!(name.contains("not a name of a shop"), "{name}");
    assert!(all["never-started"]["error"].is_string());
}

#[test]
fn a_shop_has_paths_of_its_own_and_its_file_wins_over_what_all_share() {
    let host = host();
    std::fs::create_dir(host.path("shops/conf.d")).unwrap();
    host.write(
        "shops/conf.d/all.toml",
        "[delivery]\nlanes = 3\nmax_batch_events = 7\n",
    );
    let config = edge::config("http://127.0.0.1:9", "[source]\nkind = \"sqlite\"\n");
    let config = config
        .replace("path = \"orderfeed.db\"", "")
        .replace("listen = \"off\"", "");
    host.write(
        "shops/agency.toml",
        &config.replace("[delivery]\n", "[delivery]\nlanes = 5\n"),
    );
    host.write("shops/my shop.toml", &config);
    let shown = host.run(&["--shop", "agency", "config", "show", "--origin"]).ok();
    for line in [
        "path = \"/var/lib/orderfeed/agency/orderfeed.db\"  # from defaults",
        "listen = \"unix:/run/orderfeed-shops/agency/admin.sock\"  # from defaults",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let set = |key: &str, file: &str| {
        let found = shown.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(found.contains(file), "{found}");
    };
    set("lanes = 5", "shops/agency.toml:");
    set("max_batch_events = 7", "shops/conf.d/all.toml:");
    // The file alone names the shop, too: this is how the unit starts it.
    let by_file = |name: &str| {
        let mut command = crate::support::daemon::binary();
        let file = host.path(&format!("shops/{name}.toml"));
        command.args(["config", "show", "--origin", "--config"]).arg(file);
        command.output().unwrap()
    };
    assert_eq!(String::from_utf8(by_file("agency").stdout).unwrap(), shown);
    // With the defaults of a single shop it would share that one's store.
    let refused = by_file("my shop");
    assert_eq!(refused.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not a name of a shop"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_of_a_stopped_shop_needs_none_of_its_secrets() {
    let host = host();
    let shop = Tenant::new(&host, "agency").await;
    let daemon = shop.start(&host);
    eventually("the shop is served", || shop.is_served());
    assert_eq!(daemon.stop(), Some(0));
    let config = shop.config();
    let secret = config
        .lines()
        .find(|line| line.starts_with("client_secret"))
        .unwrap();
    host.write("shops/agency.toml", &config.replace(secret, ""));
    // As a credential of systemd, which is there only while the service runs.
    assert_eq!(host.run(&["--shop", "agency", "config", "check"]).code, Some(78));
    let ran = host.run(&["shops", "status", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let row = &rows(&ran)["agency"];
    assert_eq!(
        (&row["running"], &row["problem"]["kind"]),
        (&false.into(), &"daemon_not_running".into())
    );
    let remedy = row["problem"]["remedy"].as_str().unwrap();
    assert!(remedy.contains("systemctl start orderfeed@agency"), "{remedy}");
}

#[test]
fn shops_are_listed_and_an_unknown_one_is_refused() {
    let host = Installation::new("");
    let none = host.run(&["shops", "list"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));
    assert!(none.stderr.starts_with("no shops: "), "{none:?}");
    std::fs::create_dir(host.path("shops")).unwrap();
    // Listing reads no file, so a broken one is listed.
    host.write("shops/b.toml", "= broken");
    host.write("shops/a.toml", "");
    let listed: Value = serde_json::from_str(&host.run(&["shops", "list", "--json"]).ok()).unwrap();
    let names: Vec<_> = listed["shops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|shop| &shop["shop"])
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(listed["shops"][1]["unit"], "orderfeed@b.service");
    // A command for one shop lists all of them, too.
    assert!(
        host.run(&["--shop", "b", "shops", "list"])
            .ok()
            .contains("shops/a.toml")
    );
    let unknown = host.run(&["shops", "status", "c"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("there is no shop c"), "{unknown:?}");
    let escaping = host.run(&["--shop", "../a", "status"]);
    assert_eq!(escaping.code, Some(2), "{escaping:?}");
}

#[test]
fn variables_of_the_operators_shell_do_not_reach_the_shops() {
    let host = host();
    host.write(
        "shops/agency.toml",
        &edge::config("http://127.0.0.1:9", "[source]\nkind = \"sqlite\"\n"),
    );
    let ask = |variable: Option<&str>| {
        let mut command = host.command(&["shops", "status", "--json"]);
        if let Some(variable) = variable {
            command.env(variable, "x");
        }
        let output = command.output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        status["shops"][0]["error"].as_str().unwrap().to_owned()
    };
    let as_it_is = ask(None);
    assert!(as_it_is.contains("store"), "{as_it_is}");
    assert_eq!(ask(Some("ORDERFEED__DELIVERY__LANES")), as_it_is);
    assert_eq!(ask(Some("ORDERFEED__NO_SUCH_KEY")), as_it_is);
}
