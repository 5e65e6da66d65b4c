//! `emulator`: runs the local Edge Network on its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use serde::de::{IntoDeserializer, value};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::output;
use crate::cli::trial::commerce;
use crate::cli::trial::commerce::CommerceArgs;
use orderfeed_emulator::{
    DEFAULT_CLIENT, DEFAULT_DATASTREAM, DEFAULT_ORG, DatastreamConfig, Emulator, EmulatorConfig,
    EmulatorHandle, LedgerDetail, RandomFaults,
};

#[derive(Args, Debug, Default)]
pub struct EmulatorArgs {
    /// Read the emulator's configuration from this TOML or JSON file; options override it. The global `--config` is the
    /// daemon's and has no effect here
    #[arg(long, value_name = "FILE")]
    pub emulator_config: Option<PathBuf>,
    /// Address of the host that always requires a token, and of IMS
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_server: Option<SocketAddr>,
    /// Address of the host that requires a token only if the datastream does
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_edge: Option<SocketAddr>,
    /// Address of the control interface (/__mock/…)
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_control: Option<SocketAddr>,
    /// Add a datastream, with its organization; can be repeated
    #[arg(long, value_name = "ID[=ORG]")]
    pub datastream: Vec<String>,
    /// Id of the OAuth client that may fetch tokens
    #[arg(long, value_name = "ID", requires = "client_secret")]
    pub client_id: Option<String>,
    /// Secret of that client; it is valid for the emulator only
    #[arg(long, value_name = "TEXT", requires = "client_id")]
    pub client_secret: Option<String>,
    /// Serve HTTPS, with a certificate of the emulator's own authority
    #[arg(long)]
    pub tls: bool,
    /// Write the certificate of that authority (PEM) to this file
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_file: Option<PathBuf>,
    /// Validate every event against the XDM schema; violations count as failed batches
    #[arg(long)]
    pub strict_xdm: bool,
    /// Share of requests with a random fault, 0.0 to 1.0
    #[arg(long, value_name = "SHARE")]
    pub fault_rate: Option<f64>,
    /// Seed of the random faults
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Simulated round trip in milliseconds
    #[arg(long, value_name = "MS")]
    pub latency_ms: Option<u64>,
    /// Request units per second allowed to an organization; 0 = no limit
    #[arg(long, value_name = "UNITS")]
    pub ru_per_s: Option<u64>,
    #[command(flatten)]
    pub commerce: CommerceArgs,
    /// Detail of the ledger: full, compact (a hash for each event), counts
    #[arg(long, value_name = "DETAIL", value_parser = parse_detail)]
    pub ledger: Option<LedgerDetail>,
}

/// Runs the emulator until Ctrl-C or SIGTERM, then prints a summary.
pub async fn run(args: EmulatorArgs) -> anyhow::Result<()> {
    let config = configuration(&args)?;
    let handle = Emulator::start(config.clone()).await?;
    let commerce = args.commerce.start().await?;
    // Written after the start, which creates the authority.
    if let (Some(file), Some(pem)) = (&args.ca_file, handle.ca_pem()) {
        std::fs::write(file, pem)
            .with_context(|| format!("cannot write the certificate to {}", file.display()))?;
    }
    // A closed stdout is ignored: the emulator is still useful.
    let _ = output::data(&greeting(&handle, &config));
    if let Some(commerce) = &commerce {
        let _ = output::data(&commerce::greeting(commerce));
    }
    wait_for_signal().await?;
    let _ = output::data(&summary(&handle.summary()));
    if let Some(commerce) = &commerce {
        let _ = output::data(&commerce::summary(&commerce.ledger()));
        commerce.shutdown().await;
    }
    handle.shutdown().await;
    Ok(())
}

async fn wait_for_signal() -> anyhow::Result<()> {
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
        Some(rate) => bail!("--fault-rate {rate} is not a share; use a number between 0.0 and 1.0"),
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
    config.with_context(|| format!("{} is not a valid configuration of the emulator", file.display()))
}

fn override_addresses(config: &mut EmulatorConfig, args: &EmulatorArgs) {
    config.listen_server = args.listen_server.unwrap_or(config.listen_server);
    config.listen_edge = args.listen_edge.unwrap_or(config.listen_edge);
    config.listen_control = args.listen_control.unwrap_or(config.listen_control);
}

fn override_accounts(config: &mut EmulatorConfig, args: &EmulatorArgs) {
    // Options replace the built-in accounts, and add to those of a file.
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
    // A client without an organization of its own belongs to that of the first datastream.
    let first = config.datastreams.values().next();
    let org = first.map_or(DEFAULT_ORG, |datastream| &datastream.org).to_owned();
    let id = args.client_id.as_deref().unwrap_or(DEFAULT_CLIENT).to_owned();
    let client = config.clients.entry(id).or_default();
    client.org = org;
    if let Some(secret) = &args.client_secret {
        client.secret.clone_from(secret);
    }
}

fn parse_detail(text: &str) -> Result<LedgerDetail, value::Error> {
    LedgerDetail::deserialize(text.into_deserializer())
}

fn greeting(handle: &EmulatorHandle, config: &EmulatorConfig) -> String {
    let datastream = config.datastreams.iter().next();
    let org = datastream.map_or(DEFAULT_ORG, |(_, datastream)| &datastream.org);
    let datastream = datastream.map_or(DEFAULT_DATASTREAM, |(id, _)| id);
    let client = config
        .clients
        .keys()
        .next()
        .map_or(DEFAULT_CLIENT, String::as_str);
    let (server, edge, ims, control) = (
        handle.server_url(),
        handle.edge_url(),
        handle.ims_url(),
        handle.control_url(),
    );
    let pin = handle.certificate_pin().map(|pin| format!("pin      {pin}\n"));
    let pin = pin.unwrap_or_default();
    format!(
        "server   {server}  (always authenticated)\nedge     {edge}\nims      {ims}\n\
         control  {control}/__mock/ledger?summary=1\n{pin}\n\
         # settings in orderfeed.toml that send events here:\n\
         [services_connector]\norganization_id = \"{org}\"\n\n\
         [edge]\nurl = \"{server}\"\nauth = \"oauth\"\n\n\
         [edge.oauth]\ntoken_url = \"{ims}\"\nclient_id = \"{client}\"\n\
         client_secret_file = \"\"  # a file with the secret of that client\n\n\
         [websites.base]\ndatastream_id = \"{datastream}\"\n\n",
    )
}

fn summary(summary: &Value) -> String {
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
    format!("\n{}\n\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_override_the_configuration() {
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
            "a named client replaces the built-in one"
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
    fn options_override_the_file() {
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
    fn the_daemons_configuration_has_no_effect() {
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
    async fn the_greeting_contains_the_addresses_and_no_secret() {
        let config = EmulatorConfig::default();
        let handle = Emulator::start(config.clone()).await.unwrap();
        let text = greeting(&handle, &config);
        assert!(text.contains(&handle.ims_url()) && text.contains(DEFAULT_DATASTREAM));
        assert!(!text.contains(orderfeed_emulator::DEFAULT_SECRET));
        assert!(summary(&handle.summary()).contains("unique ids        0"));
        handle.shutdown().await;
    }
}
