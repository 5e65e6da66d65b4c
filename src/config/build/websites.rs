//! `[web_sdk]` and `[websites.CODE]`: which datastream each website feeds. The rules are those of Adobe's page on
//! connecting Commerce data to Experience Platform.

use std::collections::BTreeMap;

use crate::config::model::{WebSdk, Website, Websites};
use crate::config::problem::quoted;
use crate::config::reader::Reader;
use crate::config::values::DatastreamId;

pub(crate) fn web_sdk(reader: &mut Reader<'_>) -> WebSdk {
    let name = reader.text("web_sdk.name");
    if let Some(name) = name.filter(|name| !is_identifier(name)) {
        let message = format!(
            "{} is not a name on a page; expected one such as \"alloy\"",
            quoted(name)
        );
        reader.problem("web_sdk.name", message);
    }
    WebSdk {
        name: name.map(str::to_owned),
    }
}

/// Whether this could be a property of `window`, which is where an SDK's instance is found by its name.
fn is_identifier(name: &str) -> bool {
    let sign = |c: char| c == '_' || c == '$';
    name.starts_with(|c: char| c.is_alphabetic() || sign(c))
        && name.chars().all(|c| c.is_alphanumeric() || sign(c))
}

pub(crate) fn websites(reader: &mut Reader<'_>, web_sdk: &WebSdk) -> Websites {
    let codes = reader.settings.website_codes();
    if codes.is_empty() {
        let expected =
            "a table for each website whose orders are sent, such as [websites.base] with datastream_id";
        reader.missing("websites", expected);
    }
    refuse_codes_that_differ_in_case(reader, &codes);
    let mut websites = Websites::new();
    for code in codes {
        let website = website(reader, web_sdk, &code);
        websites.insert(code, website);
    }
    warn_if_nothing_is_sent(reader, &websites);
    warn_of_shared_datastreams(reader, &websites);
    websites
}

/// Commerce compares codes without case, and the environment can only write lower case: `BASE` in a file and
/// `…__WEBSITES__BASE__…` would be two websites where one is meant.
fn refuse_codes_that_differ_in_case(reader: &mut Reader<'_>, codes: &[String]) {
    for (index, code) in codes.iter().enumerate() {
        if let Some(other) = codes[..index]
            .iter()
            .find(|other| other.eq_ignore_ascii_case(code))
        {
            let message =
                format!("differs from websites.{other} in case only; write one of them in both places");
            reader.problem(&format!("websites.{code}"), message);
        }
    }
}

fn website(reader: &mut Reader<'_>, web_sdk: &WebSdk, code: &str) -> Website {
    let key = |name: &str| format!("websites.{code}.{name}");
    if !is_website_code(code) {
        let message = "is not a website code; expected a letter, then letters, digits and underscores";
        reader.problem(&format!("websites.{code}"), message.into());
    }
    let back_office_events = reader.bool(&key("back_office_events")).unwrap_or(false);
    let storefront_events = reader.bool(&key("storefront_events"));
    let datastream = datastream(reader, web_sdk, code);
    let is_named = reader
        .text(&key("datastream_id"))
        .or(reader.text(&key("web_sdk_datastream_id")))
        .is_some();
    if datastream.is_none() && (!is_named || web_sdk.name.is_some()) {
        require_datastream(reader, web_sdk, code, back_office_events, storefront_events);
    }
    Website {
        datastream,
        back_office_events,
        storefront_events,
    }
}

/// Commerce's own rule for the code of a website.
fn is_website_code(code: &str) -> bool {
    code.starts_with(|c: char| c.is_ascii_alphabetic())
        && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The datastream in force: with a Web SDK of the site's own, that SDK's, and any other is ignored.
fn datastream(reader: &mut Reader<'_>, web_sdk: &WebSdk, code: &str) -> Option<DatastreamId> {
    let own_key = format!("websites.{code}.datastream_id");
    let sdk_key = format!("websites.{code}.web_sdk_datastream_id");
    let own: Option<DatastreamId> = reader.parsed(&own_key);
    let of_sdk: Option<DatastreamId> = reader.parsed(&sdk_key);
    match (web_sdk.name.is_some(), own, of_sdk) {
        (true, Some(_), Some(of_sdk)) => {
            let message =
                "is ignored, because web_sdk.name is set: web_sdk_datastream_id wins; remove this key";
            reader.warn(&own_key, message.into());
            Some(of_sdk)
        }
        (true, _, of_sdk) => of_sdk,
        (false, own, Some(_)) => {
            let message =
                "is ignored, because web_sdk.name is not set; set it, or move the id to datastream_id";
            reader.warn(&sdk_key, message.into());
            own
        }
        (false, own, None) => own,
    }
}

fn require_datastream(
    reader: &mut Reader<'_>,
    web_sdk: &WebSdk,
    code: &str,
    back_office_events: bool,
    storefront_events: Option<bool>,
) {
    let wanted_by = match (back_office_events, storefront_events) {
        (true, _) => "back_office_events",
        (false, Some(true)) => "storefront_events",
        (false, _) => return,
    };
    let name = if web_sdk.name.is_some() {
        "web_sdk_datastream_id"
    } else {
        "datastream_id"
    };
    let key = format!("websites.{code}.{name}");
    if reader.text(&key).is_some() {
        // It is set and malformed, which has been reported.
        return;
    }
    let because = match web_sdk.name {
        Some(_) => "the datastream of the Web SDK that web_sdk.name names",
        None => "the website's datastream",
    };
    let form = "a UUID such as ebebf826-a01f-4458-8cec-ef61de241c93";
    reader.missing(
        &key,
        &format!("{because}, because {wanted_by} = true needs one; {form}"),
    );
}

fn warn_if_nothing_is_sent(reader: &mut Reader<'_>, websites: &Websites) {
    if !websites.is_empty() && !websites.values().any(|website| website.back_office_events) {
        let message = "no website has back_office_events = true, so nothing will be sent";
        reader.warn("websites", message.into());
    }
}

fn warn_of_shared_datastreams(reader: &mut Reader<'_>, websites: &Websites) {
    let mut seen: BTreeMap<&DatastreamId, &str> = BTreeMap::new();
    for (code, website) in websites.iter().filter(|(_, website)| website.back_office_events) {
        let Some(datastream) = &website.datastream else {
            continue;
        };
        match seen.get(datastream) {
            Some(other) => {
                let message =
                    format!("feeds the same datastream as websites.{other}; keep it only if that is meant");
                reader.warn(&format!("websites.{code}"), message);
            }
            None => {
                seen.insert(datastream, code);
            }
        }
    }
}
