//! `storefront build`, `storefront snippet` and `storefront check`: the files for a shop's pages.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::context::{Context, configured_website};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::commerce::stores::ShopStoreView;
use crate::config::{Config, EdgeAuth, Website};
use crate::daemon::sources;
use crate::delivery::http;
use crate::ops::sentence::visible;
use crate::storefront::packages::Packages;
use crate::storefront::page::{PageAnswer, PageFinding, findings};
use crate::storefront::{Bundle, BundleFile, StorefrontError, build, websites_on};

#[derive(Clone, Debug, clap::Subcommand)]
pub enum StorefrontCommand {
    /// Write the files to publish at storefront.url
    #[command(
        after_help = "Builds every website whose storefront events are on. Equal input gives equal files. Files of earlier builds \
        stay, so that pages that name them still work.\n\nExamples:\n  orderfeed storefront build --out /var/www/shop/storefront\n  \
        orderfeed storefront build --out /tmp/storefront --website base"
    )]
    Build(BuildArgs),
    /// Print the lines to add to the head of a website's pages
    #[command(after_help = "Examples:\n  orderfeed storefront snippet --website base\n  \
        orderfeed storefront snippet --website base --latest")]
    Snippet(SnippetArgs),
    /// Fetch a page of the shop, and report what it would do with the files
    #[command(
        after_help = "Reads the page once and runs no script. Exit code 1 if something must be fixed, 69 if the page could not be \
        fetched.\n\nExamples:\n  orderfeed storefront check https://shop.example.com/\n  \
        orderfeed storefront check https://shop.example.com/checkout/ --json"
    )]
    Check(CheckArgs),
}

#[derive(Clone, Debug, clap::Args)]
pub struct BuildArgs {
    /// Directory for the files; created if it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Only the website with this code
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
pub struct SnippetArgs {
    /// The website whose pages load the files
    #[arg(long, value_name = "CODE")]
    pub website: String,
    /// Follow later builds without a new snippet; the browser then checks no hash of the settings
    #[arg(long)]
    pub latest: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// Address of the page
    #[arg(value_name = "URL")]
    pub url: url::Url,
    /// Print a JSON array of {is_problem, message}
    #[arg(long)]
    pub json: bool,
}

/// Runs a `storefront` command.
pub async fn run(context: &Context, command: &StorefrontCommand) -> anyhow::Result<Exit> {
    let config = context.config()?;
    match command {
        StorefrontCommand::Build(args) => {
            let bundle = bundle(&config, args.website.as_deref()).await?;
            write(&bundle, &args.out)?;
            output::data(&written(&bundle, &args.out))?;
            output::data(&authentication(&config, args.website.as_deref()))?;
        }
        StorefrontCommand::Snippet(args) => {
            let bundle = bundle(&config, Some(&args.website)).await?;
            output::data(bundle.snippet(&args.website, args.latest).unwrap_or_default())?;
        }
        StorefrontCommand::Check(args) => return check(&config, args).await,
    }
    Ok(Exit::Ok)
}

/// Reports about a page. Without packages or the shop, its script is not compared with a build.
async fn check(config: &Config, args: &CheckArgs) -> anyhow::Result<Exit> {
    let fetched = http::page::fetch(config, &args.url).await?;
    let page = PageAnswer {
        url: args.url.to_string(),
        policies: fetched.policies,
        html: fetched.html,
    };
    let bundle = match Packages::needed(config) {
        Ok(packages) => build(config, read_shop(config).await.as_deref(), &packages, None).ok(),
        Err(_) => None,
    };
    let found = findings(config, bundle.as_ref(), &page);
    let line = |finding: &PageFinding| {
        let verdict = if finding.is_problem { "problem" } else { "ok" };
        format!("{verdict}: {}\n", visible(&finding.message))
    };
    output::result(args.json, &found, || found.iter().map(line).collect())?;
    Ok(match found.iter().any(|finding| finding.is_problem) {
        true => Exit::Failed,
        false => Exit::Ok,
    })
}

async fn bundle(config: &Config, only: Option<&str>) -> anyhow::Result<Bundle> {
    if let Some(code) = only {
        configured_website(config, code)?;
    }
    let packages = Packages::needed(config).map_err(StorefrontError::from)?;
    let shop = read_shop(config).await;
    let bundle = build(config, shop.as_deref(), &packages, only)?;
    for warning in &bundle.warnings {
        output::notice(&format!("warning: {warning}"));
    }
    Ok(bundle)
}

/// Returns the shop's store views, or reports that only those of the configuration are known.
async fn read_shop(config: &Config) -> Option<Vec<ShopStoreView>> {
    let read = async { sources::source(config)?.0.store_views().await };
    match read.await {
        Ok(views) => Some(views),
        Err(error) => {
            output::notice(&format!(
                "warning: the shop's store views were not read, so only those of the configuration are used: {error}"
            ));
            None
        }
    }
}

/// Writes the files. A page never finds a loader whose bundle is missing: files with a hash in their name come first.
fn write(bundle: &Bundle, directory: &Path) -> anyhow::Result<()> {
    let (hashed, named): (Vec<_>, Vec<_>) = bundle.files.iter().partition(|(_, file)| file.immutable);
    for (path, file) in hashed.into_iter().chain(named) {
        let path = directory.join(path);
        write_file(&path, file).with_context(|| {
            format!(
                "{} cannot be written; commands run as the owner of the store, so give this directory to that user, or choose another \
                 one",
                path.display()
            )
        })?;
    }
    Ok(())
}

fn write_file(path: &Path, file: &BundleFile) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    create_directory(directory)?;
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(".new");
    fs::write(&temporary, &file.content)?;
    // A web server runs as another user.
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o644))?;
    fs::rename(&temporary, path)
}

/// Creates a directory that a web server can read. An existing one keeps its mode.
fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Reminds of a setting of the datastream that only Adobe's user interface shows.
fn authentication(config: &Config, only: Option<&str>) -> String {
    let is_shared = |(code, website): &(&String, &Website)| {
        only.is_none_or(|only| only == *code)
            && website.back_office_events
            && config.edge.auth == EdgeAuth::Oauth
    };
    let line = |(code, website): (&String, &Website)| {
        let datastream = website
            .datastream
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        format!(
            "Website {code}: back-office events use datastream {datastream} with a token. Its authentication, in Adobe's settings, \
             must be \"Mixed\": otherwise it refuses browsers.\n"
        )
    };
    websites_on(config).filter(is_shared).map(line).collect()
}

fn written(bundle: &Bundle, directory: &Path) -> String {
    let snippets = bundle.files.keys().filter(|path| path.ends_with("/snippet.html"));
    let lines: String = snippets
        .map(|path| {
            format!(
                "Add to the head of the pages: {}\n",
                directory.join(path).display()
            )
        })
        .collect();
    format!(
        "{} files were written to {}.\n{lines}",
        bundle.files.len(),
        directory.display()
    )
}
