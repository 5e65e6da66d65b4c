//! `orderfeed emulator`: the local Edge Network as a program of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::output;
use orderfeed_emulator::{
    DEFAULT_CLIENT, DEFAULT_DATASTREAM, DEFAULT_ORG, DatastreamConfig, Emulator, EmulatorConfig,
    EmulatorHandle, LedgerDetail, RandomFaults,
};

/// Run a local Edge Network and IMS for trials: it accepts events, can be told to misbehave, and sends nothing on.
#[derive(Args, Debug, Default)]
pub struct EmulatorArgs {
    /// Read the emulator's configuration from this TOML or JSON file; flags win over it. Not the daemon's `--config`,
    /// which is accepted, and ignored, beside any subcommand.
    #[arg(long, value_name = "FILE")]
    pub emulator_config: Option<PathBuf>,
    /// Address of the host that always asks for a token, and of IMS.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_server: Option<SocketAddr>,
    /// Address of the host that asks for a token only where the datastream says so.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_edge: Option<SocketAddr>,
    /// Address of the control interface (/__mock/…).
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_control: Option<SocketAddr>,
    /// Offer a datastream, with its organization; may be given several times.
    #[arg(long, value_name = "ID[=ORG]")]
    pub datastream: Vec<String>,
    /// The OAuth client that may fetch tokens.
    #[arg(long, value_name = "ID", requires = "client_secret")]
    pub client_id: Option<String>,
    /// That client's secret; it opens nothing but the emulator.
    #[arg(long, value_name = "TEXT", requires = "client_id")]
    pub client_secret: Option<String>,
    /// Speak HTTPS with a certificate of the emulator's own authority.
    #[arg(long)]
    pub tls: bool,
    /// Write that authority's certificate (PEM) to this file.
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_file: Option<PathBuf>,
    /// Check every event against the XDM schema and mark what does not fit as a failed batch.
    #[arg(long)]
    pub strict_xdm: bool,
    /// Share of requests that meet a random fault, 0.0 to 1.0.
    #[arg(long, value_name = "SHARE")]
    pub fault_rate: Option<f64>,
    /// Seed of the random faults.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Simulated round trip in milliseconds.
    #[arg(long, value_name = "MS")]
    pub latency_ms: Option<u64>,
    /// Request units an organization may spend a second; 0 = no limit.
    #[arg(long, value_name = "UNITS")]
    pub ru_per_s: Option<u64>,
    /// How much to remember: full, compact (a hash for each event), counts.
    #[arg(long, value_name = "DETAIL", value_parser = parse_detail)]
    pub ledger: Option<LedgerDetail>,
}

/// Runs the emulator until Ctrl-C or SIGTERM, then prints what it saw.
///
/// # Errors
/// When the configuration cannot be read, or a port cannot be bound.
pub async fn run(args: EmulatorArgs) -> anyhow::Result<()> {
    let config = configuration(&args)?;
    let handle = Emulator::start(config.clone()).await?;
    if let (Some(file), Some(pem)) = (&args.ca_file, handle.ca_pem()) {
        std::fs::write(file, pem)
            .with_context(|| format!("cannot write the certificate to {}", file.display()))?;
    }
    say(&greeting(&handle, &config));
    wait_for_the_end().await?;
    say(&farewell(&handle.summary()));
    handle.shutdown().await;
    Ok(())
}

async fn wait_for_the_end() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.context("cannot wait for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}

fn configuration(args: &EmulatorArgs) -> anyhow::Result<EmulatorConfig> {
    let mut config = match &args.emulator_config {
        Some(file) => read(file)?,
        None => EmulatorConfig {
            listen_server: SocketAddr::from(([127, 0, 0, 1], 9443)),
            listen_edge: SocketAddr::from(([127, 0, 0, 1], 9444)),
            listen_control: SocketAddr::from(([127, 0, 0, 1], 9445)),
            ..EmulatorConfig::default()
        },
    };
    override_addresses(&mut config, args);
    override_accounts(&mut config, args);
    config.tls |= args.tls;
    config.strict_xdm |= args.strict_xdm;
    config.latency_ms = args.latency_ms.unwrap_or(config.latency_ms);
    config.ru_per_s = args.ru_per_s.unwrap_or(config.ru_per_s);
    config.ledger = args.ledger.unwrap_or(config.ledger);
    match args.fault_rate {
        Some(rate) if (0.0..=1.0).contains(&rate) => {
            config.faults = Some(RandomFaults::new(rate, args.seed));
        }
        Some(rate) => bail!("--fault-rate {rate} is no share; give a number between 0.0 and 1.0"),
        None => {}
    }
    Ok(config)
}

fn read(file: &std::path::Path) -> anyhow::Result<EmulatorConfig> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let is_json = file.extension().is_some_and(|extension| extension == "json");
    let config = if is_json {
        Ok(serde_json::from_str(&text)?)
    } else {
        toml::from_str(&text)
    };
    config.with_context(|| format!("{} is no emulator configuration", file.display()))
}

fn override_addresses(config: &mut EmulatorConfig, args: &EmulatorArgs) {
    config.listen_server = args.listen_server.unwrap_or(config.listen_server);
    config.listen_edge = args.listen_edge.unwrap_or(config.listen_edge);
    config.listen_control = args.listen_control.unwrap_or(config.listen_control);
}

fn override_accounts(config: &mut EmulatorConfig, args: &EmulatorArgs) {
    if !args.datastream.is_empty() && args.emulator_config.is_none() {
        config.datastreams.clear();
    }
    for text in &args.datastream {
        let (id, org) = text.split_once('=').unwrap_or((text, DEFAULT_ORG));
        let datastream = DatastreamConfig {
            org: org.to_owned(),
            ..DatastreamConfig::default()
        };
        config.datastreams.insert(id.to_owned(), datastream);
    }
    if args.datastream.is_empty() && args.client_id.is_none() {
        return;
    }
    if args.client_id.is_some() && args.emulator_config.is_none() {
        config.clients.clear();
    }
    let org = config
        .datastreams
        .values()
        .next()
        .map_or(DEFAULT_ORG, |datastream| &datastream.org)
        .to_owned();
    let id = args
        .client_id
        .clone()
        .unwrap_or_else(|| DEFAULT_CLIENT.to_owned());
    let client = config.clients.entry(id).or_default();
    client.org = org;
    if let Some(secret) = &args.client_secret {
        client.secret.clone_from(secret);
    }
}

fn parse_detail(text: &str) -> Result<LedgerDetail, String> {
    match text {
        "full" => Ok(LedgerDetail::Full),
        "compact" => Ok(LedgerDetail::Compact),
        "counts" => Ok(LedgerDetail::Counts),
        _ => Err("give full, compact or counts".to_owned()),
    }
}

fn greeting(handle: &EmulatorHandle, config: &EmulatorConfig) -> String {
    let datastream = config
        .datastreams
        .keys()
        .next()
        .map_or(DEFAULT_DATASTREAM, String::as_str);
    let org = config
        .datastreams
        .values()
        .next()
        .map_or(DEFAULT_ORG, |datastream| &datastream.org);
    let client = config
        .clients
        .keys()
        .next()
        .map_or(DEFAULT_CLIENT, String::as_str);
    format!(
        "server   {}  (always authenticated)\nedge     {}\nims      {}\ncontrol  {}/__mock/ledger?summary=1\n\n\
         # what orderfeed.toml needs to send here:\n\
         [services_connector]\norganization_id = \"{org}\"\n\n\
         [edge]\nurl = \"{}\"\nauth = \"oauth\"\n\n\
         [edge.oauth]\ntoken_url = \"{}\"\nclient_id = \"{client}\"\n\
         client_secret_file = \"\"  # a file with that client's secret\n\n\
         [websites.base]\ndatastream_id = \"{datastream}\"\n",
        handle.server_url(),
        handle.edge_url(),
        handle.ims_url(),
        handle.control_url(),
        handle.server_url(),
        handle.ims_url(),
    )
}

fn farewell(summary: &Value) -> String {
    let totals = &summary["totals"];
    let mut lines = vec![
        format!("requests          {}", totals["requests"]),
        format!("answers           {}", totals["by_status"]),
        format!("events            {}", totals["events"]),
        format!("unique ids        {}", summary["unique_ids"]),
        format!("duplicates        {}", totals["duplicates"]),
        format!("bytes changed     {}", summary["bytes_changed"]),
        format!("out of order      {}", summary["order_violations"]),
        format!("early requests    {}", summary["early_requests"]),
        format!("tokens issued     {}", totals["tokens_issued"]),
    ];
    if let Some(faults) = totals["faults"].as_object().filter(|faults| !faults.is_empty()) {
        lines.push(format!("faults            {}", Value::Object(faults.clone())));
    }
    format!("\n{}\n", lines.join("\n"))
}

/// Writes to stdout; nobody reading is no error.
fn say(text: &str) {
    let _ = output::line(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_shape_the_configuration() {
        let args = EmulatorArgs {
            datastream: vec!["abc=111111111111111111111111@AdobeOrg".into(), "def".into()],
            client_id: Some("c".into()),
            client_secret: Some("s".into()),
            fault_rate: Some(0.5),
            seed: 3,
            ..EmulatorArgs::default()
        };
        let config = configuration(&args).unwrap();
        assert_eq!(config.datastreams.keys().collect::<Vec<_>>(), ["abc", "def"]);
        assert_eq!(config.clients["c"].org, "111111111111111111111111@AdobeOrg");
        assert_eq!(config.clients["c"].secret, "s");
        assert_eq!(
            config.clients.len(),
            1,
            "the built-in client is gone where one is named"
        );
        assert_eq!(config.faults, Some(RandomFaults::new(0.5, 3)));
        assert_eq!(config.listen_server.port(), 9443);
    }

    #[test]
    fn a_share_above_one_is_refused() {
        let args = EmulatorArgs {
            fault_rate: Some(7.0),
            ..EmulatorArgs::default()
        };
        assert!(
            configuration(&args)
                .unwrap_err()
                .to_string()
                .contains("--fault-rate")
        );
    }

    #[test]
    fn a_file_is_the_base_and_flags_win() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("emulator.toml");
        std::fs::write(&file, "latency_ms = 5\nmax_bytes = 99\n").unwrap();
        let args = EmulatorArgs {
            emulator_config: Some(file.clone()),
            latency_ms: Some(7),
            ..EmulatorArgs::default()
        };
        let config = configuration(&args).unwrap();
        assert_eq!((config.latency_ms, config.max_bytes), (7, 99));
        std::fs::write(&file, "latency = 5\n").unwrap();
        assert!(configuration(&args).is_err());
    }

    #[derive(clap::Parser)]
    struct Program {
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: Commands,
    }

    #[derive(clap::Subcommand)]
    enum Commands {
        Emulator(EmulatorArgs),
    }

    #[test]
    fn its_own_configuration_is_not_the_daemons() {
        let line = [
            "orderfeed",
            "--config",
            "daemon.toml",
            "emulator",
            "--emulator-config",
            "emulator.toml",
        ];
        let program = <Program as clap::Parser>::try_parse_from(line).unwrap();
        let Commands::Emulator(args) = program.command;
        assert_eq!(args.emulator_config, Some(PathBuf::from("emulator.toml")));
        assert_eq!(program.config, Some(PathBuf::from("daemon.toml")));
    }

    #[tokio::test]
    async fn the_greeting_holds_the_addresses_and_no_secret() {
        let config = EmulatorConfig::default();
        let handle = Emulator::start(config.clone()).await.unwrap();
        let text = greeting(&handle, &config);
        assert!(text.contains(&handle.ims_url()) && text.contains(DEFAULT_DATASTREAM));
        assert!(!text.contains(orderfeed_emulator::DEFAULT_SECRET));
        assert!(farewell(&handle.summary()).contains("unique ids        0"));
        handle.shutdown().await;
    }
}
