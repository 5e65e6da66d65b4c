//! `orderfeed demo --source rest`: the whole job without set-up.

use crate::support::daemon::binary;

#[test]
fn the_demo_over_rest_delivers_everything_it_did() {
    let mut command = binary();
    command.args([
        "demo",
        "--source",
        "rest",
        "--orders",
        "60",
        "--rate",
        "20",
        "--duration",
        "4s",
    ]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{log}");
    let number = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        let value = line.and_then(|line| line.split_whitespace().last());
        value
            .unwrap_or_else(|| panic!("{name} in {text}"))
            .parse()
            .unwrap()
    };
    assert!(number("orders in the feed") >= 60, "{text}");
    assert!(
        number("items_shipped delivered") > 0 && number("actions in the shop") > 10,
        "{text}"
    );
    assert_eq!((number("pending"), number("parked")), (0, 0), "{text}");
    assert_eq!(
        number("delivered in total"),
        number("events at the edge"),
        "{text}"
    );
    assert!(number("requests to the REST API") > 10, "{text}");
}
