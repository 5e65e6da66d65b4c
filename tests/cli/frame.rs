//! Help, version, completions, wrong command lines, and a closed stdout.

use super::{CliFixture, program, result};

#[test]
fn help_and_version_are_data() {
    let help = result(program().arg("--help").output().unwrap()).ok();
    for command in [
        "run",
        "demo",
        "status",
        "indexer:status:mview",
        "index:reindex",
        "saas:resync",
        "completions",
    ] {
        assert!(help.contains(command), "{command} is missing:\n{help}");
    }
    assert!(
        help.contains("Examples:") && help.contains("78 configuration"),
        "{help}"
    );
    let version = result(program().arg("--version").output().unwrap()).ok();
    let expected = format!("orderfeed {} sqlite 3.", env!("CARGO_PKG_VERSION"));
    assert!(
        version.starts_with(&expected) && version.lines().count() == 1,
        "{version}"
    );
}

#[test]
fn every_command_has_help() {
    let commands = "run demo emulator config|check config|show source|triggers|install status doctor explain test-connection indexer:info \
                    indexer:status indexer:status:mview indexer:show-mode indexer:set-mode indexer:reindex \
                    index:reindex indexer:reset indexer:set-status saas:resync cron|list cron|run cron|history \
                    failed|list failed|show failed|retry failed|discard delivery|pause delivery|resume completions";
    for command in commands.split_whitespace() {
        let help = result(program().args(command.split('|')).arg("--help").output().unwrap()).ok();
        assert!(
            help.contains("Usage: orderfeed") && help.contains("--config"),
            "{command}:\n{help}"
        );
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for args in [
        &["indexer:statsu"][..],
        &["cron", "run"],
        &["indexer:set-mode", "sometimes"],
        &[],
    ] {
        let message = result(program().args(args).output().unwrap()).failed(2);
        assert!(!message.is_empty());
    }
    let message = result(program().arg("indexer:statsu").output().unwrap()).failed(2);
    assert!(message.contains("indexer:status"), "no suggestion: {message}");
}

#[test]
fn a_missing_configuration_exits_with_78_and_the_remedy() {
    let fixture = CliFixture::new();
    let missing = fixture.0.path().join("missing.toml");
    for args in [
        &["status"][..],
        &["indexer:status"],
        &["indexer:reset"],
        &["cron", "list"],
        &["run"],
    ] {
        let mut command = program();
        command.args(args).arg("--config").arg(&missing);
        let message = result(command.output().unwrap()).failed(78);
        assert!(
            message.contains("missing.toml") && message.contains("--config"),
            "{message}"
        );
    }
}

#[test]
fn an_invalid_configuration_is_reported() {
    let fixture = CliFixture::new();
    std::fs::write(fixture.config(), "[delivery]\nlanez = 3\n").unwrap();
    let message = fixture.run(&["status"]).failed(78);
    assert!(
        message.contains("lanez") && message.contains("lanes"),
        "{message}"
    );
}

#[test]
fn completions_contain_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = result(program().args(["completions", shell]).output().unwrap()).ok();
        assert!(script.contains("saas:resync"), "{shell}");
    }
}

#[test]
fn a_closed_stdout_is_not_a_failure() {
    for args in [
        &["completions", "bash"][..],
        &["--help"],
        &["--version"],
        &["indexer:info"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = result(program().args(args).stdout(writer).output().unwrap());
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = result(program().arg("indexer:info").stdout(full).output().unwrap());
    assert_eq!(ended.code, 74, "{ended:?}");
    assert!(ended.stderr.contains("cannot be written"), "{ended:?}");
}
