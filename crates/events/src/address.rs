//! Postal addresses, reduced to the fields a privacy profile allows.

use std::borrow::Cow;

use crate::context::Profile;
use crate::text::{clean, clean_column};
use crate::xdm::PostalAddress;
use orderfeed_model::order::Address;

/// Converts an address to XDM: the country, and the region if it is certain; with [`Profile::Full`] also street and city.
/// Returns `None` if no field is left.
///
/// Names, company and telephone are in no profile, because Adobe's tables do not list them.
pub(super) fn postal(address: &Option<Address>, profile: Profile) -> Option<PostalAddress<'_>> {
    let address = address.as_ref()?;
    let coarse = coarse(address);
    let postal = match profile {
        Profile::Anonymized => coarse,
        Profile::Full => with_details(coarse, address),
    };
    (postal != PostalAddress::default()).then_some(postal)
}

fn coarse(address: &Address) -> PostalAddress<'_> {
    let country_code = address
        .country
        .as_deref()
        .map(str::trim)
        .filter(|code| is_country_code(code));
    let state_province = country_code.and_then(|country| {
        let region = address.region.as_deref()?.trim();
        is_region_of(country, region).then_some(region)
    });
    PostalAddress {
        country_code,
        state_province,
        ..PostalAddress::default()
    }
}

fn is_country_code(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Returns true if `region` is an ISO 3166-2 code of `country`. Commerce stores regions by name, and shoppers may type
/// them freely; only a code is safe to send in the anonymized profile.
fn is_region_of(country: &str, region: &str) -> bool {
    let code = region
        .strip_prefix(country)
        .and_then(|rest| rest.strip_prefix('-'));
    code.is_some_and(|code| {
        (1..=3).contains(&code.len())
            && code
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

fn with_details<'a>(coarse: PostalAddress<'a>, address: &'a Address) -> PostalAddress<'a> {
    let mut street = address
        .street
        .as_deref()
        .unwrap_or_default()
        .splitn(4, '\n')
        .map(clean);
    let mut next_line = || street.next().flatten();
    // XDM has four street fields; the fourth takes all remaining lines.
    PostalAddress {
        street1: next_line(),
        street2: next_line(),
        street3: next_line(),
        street4: next_line(),
        city: clean_column(&address.city),
        state: clean_column(&address.region),
        postal_code: clean_column(&address.postcode),
        country: coarse
            .country_code
            .map(Cow::Borrowed)
            .or_else(|| clean_column(&address.country)),
        ..coarse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(country: &str, region: &str) -> Option<Address> {
        Some(Address {
            country: Some(country.to_owned()),
            region: Some(region.to_owned()),
            street: Some("1 Main St\n\nRear\nBell 4\nFloor 2".to_owned()),
            city: Some("Austin".to_owned()),
            ..Address::default()
        })
    }

    #[test]
    fn an_anonymized_address_is_a_country_and_at_most_a_certain_region() {
        let json = |country: &str, region: &str| {
            serde_json::to_string(&postal(&address(country, region), Profile::Anonymized)).unwrap()
        };
        assert_eq!(json("US", "Texas"), r#"{"countryCode":"US"}"#);
        assert_eq!(
            json("US", "US-TX"),
            r#"{"stateProvince":"US-TX","countryCode":"US"}"#
        );
        assert_eq!(json("US", "CA-TX"), r#"{"countryCode":"US"}"#);
        assert_eq!(json("US", "US-"), r#"{"countryCode":"US"}"#);
        assert_eq!(json("us", "Texas"), "null");
        assert_eq!(postal(&None, Profile::Full).map(|_| ()), None);
    }

    #[test]
    fn a_full_address_loses_no_line_of_the_street() {
        let address = address("US", "Texas");
        let postal = postal(&address, Profile::Full).unwrap();
        assert_eq!(postal.street1.as_deref(), Some("1 Main St"));
        assert_eq!(postal.street2, None);
        assert_eq!(postal.street4.as_deref(), Some("Bell 4 Floor 2"));
        assert_eq!(postal.state.as_deref(), Some("Texas"));
        assert_eq!(postal.country.as_deref(), Some("US"));
    }
}
