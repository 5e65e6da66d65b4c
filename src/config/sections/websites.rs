//! `[web_sdk]` and `[websites.CODE]`: the datastream of each website. The rules are those of Adobe's page on connecting
//! Commerce data to Experience Platform.

use std::collections::BTreeMap;

use crate::config::fields::{Field, Flag, Int, Optional, Table, join, table};
use crate::config::reader::ConfigReader;
use crate::config::schema::KeySpec;
use crate::config::sections::store_views::{ByViewCode, GivenStoreView};
use crate::config::values::{DatastreamId, InvalidValue};

table! {
    /// `[web_sdk]`: set only where the site deploys its own AEP Web SDK (alloy).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct WebSdk {
        /// The name of the SDK's instance on the page.
        pub name: Option<String> = Optional(parse_identifier),
    }
}

/// Accepts a name that could be a property of `window`: an SDK's instance is found there.
fn parse_identifier(text: &str) -> Result<String, InvalidValue> {
    let sign = |c: char| c == '_' || c == '$';
    let fits = text.starts_with(|c: char| c.is_alphabetic() || sign(c))
        && text.chars().all(|c| c.is_alphanumeric() || sign(c));
    match fits {
        true => Ok(text.to_owned()),
        false => Err(InvalidValue::new(
            "is not a name on a page",
            "one such as \"alloy\"",
        )),
    }
}

table! {
    /// `[websites.CODE]` as written in the file.
    struct WebsiteKeys {
        datastream_id: Option<DatastreamId> = Optional(str::parse),
        web_sdk_datastream_id: Option<DatastreamId> = Optional(str::parse),
        back_office_events: bool = Flag,
        storefront_events: Option<bool> = Flag,
        website_id: u16 = Int(1, 65_535),
        store_views: BTreeMap<String, GivenStoreView> = ByViewCode,
    }
}

/// The configured websites by Commerce's website code. An order of any other website has a feed row and no events.
pub type Websites = BTreeMap<String, Website>;

/// `[websites.CODE]`, with the datastream that is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Website {
    /// The destination of the website's events: the datastream of the site's own Web SDK where `[web_sdk]` is set, the
    /// website's own otherwise. Always present where `back_office_events` is true.
    pub datastream: Option<DatastreamId>,
    /// True if order status events are derived and sent.
    pub back_office_events: bool,
    /// The datastream that the storefront's collector is given. The site's own Web SDK, if there is one, uses its own.
    pub storefront_datastream: Option<DatastreamId>,
    /// Commerce's id of the website; 0 if it is not given.
    pub website_id: u16,
    /// The given fields of store views, by their codes.
    pub store_views: BTreeMap<String, GivenStoreView>,
    storefront_events: Option<bool>,
}

/// The state of a website's storefront events: on or off, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorefrontState {
    /// `storefront_events = true`.
    SwitchedOn,
    /// Organization id and datastream are valid.
    OnByDefault,
    /// `storefront_events = false`.
    SwitchedOff,
    /// No datastream is set.
    WithoutDatastream,
}

impl StorefrontState {
    pub const fn is_on(self) -> bool {
        matches!(self, Self::SwitchedOn | Self::OnByDefault)
    }

    /// Returns the reason, to follow "on" or "off".
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SwitchedOn => "storefront_events = true",
            Self::OnByDefault => "organization id and datastream are valid",
            Self::SwitchedOff => "storefront_events = false",
            Self::WithoutDatastream => "no datastream is set",
        }
    }
}

impl std::fmt::Display for StorefrontState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = if self.is_on() { "on" } else { "off" };
        write!(f, "{state}: {}", self.reason())
    }
}

impl Website {
    /// Returns a website that sends its back-office events to `datastream`.
    pub fn sending_to(datastream: DatastreamId) -> Self {
        Self {
            datastream: Some(datastream.clone()),
            back_office_events: true,
            storefront_datastream: Some(datastream),
            ..Self::default()
        }
    }

    /// Returns true if storefront events are enabled.
    pub fn storefront_events(&self) -> bool {
        self.storefront().is_on()
    }

    /// Returns the state of storefront events: as configured, else on as soon as there is a valid datastream. The
    /// organization id is always valid, because no configuration is loaded without one.
    pub fn storefront(&self) -> StorefrontState {
        match (self.storefront_events, &self.storefront_datastream) {
            (Some(false), _) => StorefrontState::SwitchedOff,
            (_, None) => StorefrontState::WithoutDatastream,
            (Some(true), Some(_)) => StorefrontState::SwitchedOn,
            (None, Some(_)) => StorefrontState::OnByDefault,
        }
    }
}

/// One table for each website, by its code.
pub(super) struct ByCode;

impl Field<Websites> for ByCode {
    fn declare(&self, path: &str, keys: &mut Vec<KeySpec>) {
        WebsiteKeys::declare(&join(path, "*"), keys);
    }

    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> Websites {
        // Codes are names of tables, which only the merged layers hold.
        let codes = reader.settings.names_below(path);
        if codes.is_empty() {
            let expected =
                "a table for each website whose orders are sent, such as [websites.base] with datastream_id";
            reader.missing(path, expected);
        }
        refuse_codes_that_differ_in_case(reader, &codes);
        codes
            .into_iter()
            .map(|code| {
                let website = read_website(reader, &join(path, &code), &code);
                (code, website)
            })
            .collect()
    }
}

/// Commerce compares codes without case, and the environment can only write lower case: `BASE` in a file and
/// `…__WEBSITES__BASE__…` would be two websites where one is meant.
fn refuse_codes_that_differ_in_case(reader: &mut ConfigReader<'_>, codes: &[String]) {
    for (index, code) in codes.iter().enumerate() {
        let same = codes[..index]
            .iter()
            .find(|other| other.eq_ignore_ascii_case(code));
        if let Some(other) = same {
            let message =
                format!("differs from websites.{other} in case only; write one of them in both places");
            reader.problem(&format!("websites.{code}"), message);
        }
    }
}

fn read_website(reader: &mut ConfigReader<'_>, path: &str, code: &str) -> Website {
    if !is_website_code(code) {
        let message = "is not a website code; expected a letter, then letters, digits and underscores";
        reader.problem(path, message);
    }
    let keys = WebsiteKeys::read(path, reader);
    let has_sdk = reader.text("web_sdk.name").is_some();
    require_datastream(reader, path, &keys, has_sdk);
    let of_sdk = keys.web_sdk_datastream_id.clone().filter(|_| has_sdk);
    Website {
        back_office_events: keys.back_office_events,
        storefront_events: keys.storefront_events,
        // Only something to start the collector with: the site's own Web SDK sends to its own datastream.
        storefront_datastream: of_sdk.or_else(|| keys.datastream_id.clone()),
        website_id: keys.website_id,
        store_views: keys.store_views.clone(),
        datastream: datastream(reader, path, keys, has_sdk),
    }
}

/// Returns true for what Commerce accepts as the code of a website.
fn is_website_code(code: &str) -> bool {
    code.starts_with(|c: char| c.is_ascii_alphabetic())
        && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns the datastream in force. With a Web SDK of the site's own it is that SDK's, and any other is ignored.
fn datastream(
    reader: &mut ConfigReader<'_>,
    path: &str,
    keys: WebsiteKeys,
    has_sdk: bool,
) -> Option<DatastreamId> {
    match (has_sdk, keys.datastream_id, keys.web_sdk_datastream_id) {
        (true, own, of_sdk) => {
            let message = match (own.is_some(), of_sdk.is_some()) {
                (true, true) => {
                    "is ignored, because web_sdk.name is set: web_sdk_datastream_id wins; remove this key"
                }
                (true, false) => {
                    "is given to the storefront's collector, which starts only with a datastream; the Web SDK that web_sdk.name \
                     names sends to its own; write it as web_sdk_datastream_id"
                }
                _ => "",
            };
            if !message.is_empty() {
                reader.warn(&join(path, "datastream_id"), message);
            }
            of_sdk
        }
        (false, own, of_sdk) => {
            if of_sdk.is_some() {
                let message =
                    "is ignored, because web_sdk.name is not set; set it, or move the id to datastream_id";
                reader.warn(&join(path, "web_sdk_datastream_id"), message);
            }
            own
        }
    }
}

/// Reports the missing datastream of a website whose events need one.
fn require_datastream(reader: &mut ConfigReader<'_>, path: &str, keys: &WebsiteKeys, has_sdk: bool) {
    let wanted_by = match (keys.back_office_events, keys.storefront_events) {
        (true, _) => "back_office_events",
        // For the storefront's collector, any datastream will do beside the site's own Web SDK.
        (false, Some(true)) if has_sdk && keys.datastream_id.is_some() => return,
        (false, Some(true)) => "storefront_events",
        (false, _) => return,
    };
    let (name, because) = match (has_sdk, wanted_by) {
        (true, "storefront_events") => (
            "web_sdk_datastream_id",
            "the datastream of the Web SDK that web_sdk.name names (Adobe's collector does not start without one, although \
             the SDK's own wins)",
        ),
        (true, _) => (
            "web_sdk_datastream_id",
            "the datastream of the Web SDK that web_sdk.name names",
        ),
        (false, _) => ("datastream_id", "the website's datastream"),
    };
    let key = join(path, name);
    // The other key was set by mistake, which is a warning already.
    let is_other_set = !has_sdk && reader.text(&join(path, "web_sdk_datastream_id")).is_some();
    if reader.text(&key).is_none() && !is_other_set {
        let form = "a UUID such as ebebf826-a01f-4458-8cec-ef61de241c93";
        let expected = format!("{because}, because {wanted_by} = true needs one; {form}");
        reader.missing(&key, &expected);
    }
}

/// Warns if nothing would be sent, and of websites that feed the same datastream.
pub(super) fn check(websites: &Websites, reader: &mut ConfigReader<'_>) {
    if !websites.is_empty() && !websites.values().any(|website| website.back_office_events) {
        let message = "no website has back_office_events = true, so nothing will be sent";
        reader.warn("websites", message);
    }
    let mut seen: BTreeMap<&DatastreamId, &str> = BTreeMap::new();
    for (code, website) in websites.iter().filter(|(_, website)| website.back_office_events) {
        let Some(datastream) = &website.datastream else {
            continue;
        };
        if let Some(other) = seen.get(datastream) {
            let message =
                format!("feeds the same datastream as websites.{other}; keep it only if that is meant");
            reader.warn(&format!("websites.{code}"), message);
        } else {
            seen.insert(datastream, code);
        }
    }
}
