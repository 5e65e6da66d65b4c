//! Checks of the configuration and its secrets.

use crate::config::{Config, ConfigErrors, EdgeAuth, LoadedConfig, SourceKind, Website};
use crate::doctor::check::Check;
use crate::doctor::finding::Finding;
use crate::storefront::packages::{PackageError, Packages};
use crate::storefront::websites_on;

/// Returns the findings of `configuration.*` for the result of loading it, with the validation of a start.
pub fn verdict(loaded: &Result<LoadedConfig, ConfigErrors>) -> Vec<Finding> {
    let loaded = match loaded {
        Err(errors) => return errors.0.iter().map(broken).collect(),
        Ok(loaded) => loaded,
    };
    let check = Check::Configuration;
    let mut findings = vec![check.ok(format!("{} can be used", loaded.files()))];
    findings.extend(loaded.warnings.iter().map(|warning| {
        check.warning(
            warning.to_string(),
            "see the message; `orderfeed config check` shows it again",
        )
    }));
    findings.push(credentials(&loaded.config));
    findings.extend(storefront(&loaded.config));
    findings
}

/// Reports for each website the storefront events, and whether their files can be built.
fn storefront(config: &Config) -> Vec<Finding> {
    let check = Check::Storefront;
    let of = |(code, website): (&String, &Website)| {
        let state = format!("storefront events are {}", website.storefront());
        check.ok(state).about(code.clone())
    };
    let mut findings: Vec<Finding> = config.websites.iter().map(of).collect();
    if websites_on(config).next().is_some() {
        findings.extend(packages(config));
    }
    findings
}

/// Reports packages that cannot be used. Without packages, the shop's pages get the Web SDK from elsewhere.
fn packages(config: &Config) -> Option<Finding> {
    let error = Packages::needed(config).err()?;
    let message = format!("orderfeed does not provide the storefront's files: {error}");
    Some(match error {
        PackageError::Missing { .. } => Check::Storefront.ok(message),
        _ => Check::Storefront.warning(message, "run the command, then reload the daemon"),
    })
}

fn broken(problem: &crate::config::ConfigProblem) -> Finding {
    let finding = Check::Configuration.problem(problem.to_string(),
        "correct it, run `orderfeed config check`, then `systemctl reload orderfeed` (a running daemon keeps the old \
         configuration until then; a stopped one does not start with this one)",
    );
    // A file that cannot be parsed has no key.
    match problem.key.is_empty() {
        true => finding,
        false => finding.about(problem.key.clone()),
    }
}

/// Reports the secrets in use. A required secret that is missing is an error of the configuration.
fn credentials(config: &Config) -> Finding {
    let edge = match config.edge.auth {
        EdgeAuth::Oauth => format!("the edge's client {} has its secret", config.edge.oauth.client_id),
        EdgeAuth::None => "the edge needs none (edge.auth is none)".to_owned(),
    };
    let source = match (config.source.kind, &config.source.mysql.password) {
        (SourceKind::Sqlite, _) => "the embedded source needs none",
        (SourceKind::Mysql, Some(_)) => "the source's account has its password",
        (SourceKind::Mysql, None) => "the source's account has no password",
        (SourceKind::Rest, _) => "the source's credentials have their secrets",
    };
    Check::Credentials.ok(format!("{edge}; {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigProblem, Origin};
    use crate::doctor::finding::Verdict;

    #[test]
    fn every_error_is_a_problem_with_its_origin_and_key() {
        let errors = ConfigErrors(vec![ConfigProblem {
            place: Origin::Env("ORDERFEED__CRON__X".into()),
            key: "cron.x".into(),
            message: "\"0 0 30 2 *\" never fires".into(),
        }]);
        let findings = verdict(&Err(errors));
        assert_eq!(findings[0].verdict, Verdict::Problem);
        assert_eq!(findings[0].subject.as_deref(), Some("cron.x"));
        assert!(
            findings[0].message.contains("ORDERFEED__CRON__X") && findings[0].message.contains("never fires")
        );
    }
}
