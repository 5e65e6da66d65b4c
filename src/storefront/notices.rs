//! The notices that the licences of Adobe's files, and of what they contain, require.

const NOTICES: &str = include_str!("assets/THIRD-PARTY-NOTICES.txt");
/// The last of the licences, which is also one of this program.
const APACHE: &str = include_str!("../../LICENSE-APACHE");

/// Returns the file `THIRD-PARTY-NOTICES`. `packaging/build-deb` writes the same for the packages that it ships.
pub(crate) fn notices() -> String {
    format!("{NOTICES}{APACHE}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storefront::packages::{ALLOY, COLLECTOR, EVENTS_SDK};

    #[test]
    fn every_package_and_licence_is_named_with_its_holder() {
        let text = notices();
        for pin in [&ALLOY, &EVENTS_SDK, &COLLECTOR] {
            assert!(
                text.contains(&format!("{} {}\n    {}", pin.package, pin.version, pin.licence)),
                "{}",
                pin.package
            );
        }
        for part in [
            "Copyright (c) 2022 Adobe",
            "Copyright (c) 2022 Snowplow Analytics Ltd",
            "Permission is hereby granted",
            "Redistributions in binary form",
            "Apache License",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }
}
