//! The emulator accepts the examples of its manual.

use orderfeed_emulator::{EmulatorConfig, FaultStep};

const MANUAL: &str = include_str!("../../docs/EMULATOR.md");

fn example(language: &str) -> &'static str {
    let open = format!("```{language}\n");
    let start = MANUAL.find(&open).expect("the manual has such an example") + open.len();
    &MANUAL[start..start + MANUAL[start..].find("```").expect("the example ends")]
}

#[test]
fn the_example_configuration_is_valid() {
    let config: EmulatorConfig = toml::from_str(example("toml")).unwrap();
    assert_eq!(config.clients["my-client"].secret, "any-text");
    assert_eq!(config.faults.unwrap().seed, 7);
}

#[tokio::test]
async fn every_step_of_the_script_reference_is_accepted() {
    let steps: Vec<FaultStep> = serde_json::from_str(example("json")).unwrap();
    assert!(steps.len() > 20);
    let fixture = crate::emulator::fixture::Fixture::start().await;
    fixture.emulator.script(steps).unwrap();
}
