//! The settings of one website's loader, from the configuration and the shop's store views.
//!
//! Datastream: with a Web SDK of the site's own, that SDK's datastream is where events go; the one in the context only lets
//! Adobe's collector start, which does nothing without one. Otherwise it is the website's.

use serde::Serialize;
use serde_json::{Value, json};

use crate::commerce::stores::ShopStoreView;
use crate::config::{Config, StorefrontConsent, StorefrontMode, Website};
use crate::storefront::error::StorefrontError;
use crate::storefront::views::{self, StoreView};

/// The name of the own instance of the Web SDK, which the loader creates.
pub(crate) const INSTANCE: &str = "orderfeedAlloy";
/// The function between the collector and the Web SDK.
const GATE: &str = "orderfeedWebSdk";

/// The decisions about one website.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    pub(crate) website: String,
    pub(crate) mode: &'static str,
    pub(crate) organization: String,
    pub(crate) consent: &'static str,
    pub(crate) website_id: u16,
    /// The instance of the Web SDK that events go to by way of the gate; `None` if the collector has its own.
    pub(crate) sdk: Option<String>,
    pub(crate) own_instance: bool,
    /// The site's own instance of the Web SDK.
    pub(crate) site_sdk: Option<String>,
    /// True if consent that the collector sets by itself is dropped.
    pub(crate) keeps_consent: bool,
    /// True if nothing is loaded before the shopper agreed.
    pub(crate) waits: bool,
    /// True if a withdrawal is passed on by the cookie `mg_dnt`.
    pub(crate) marks_refusal: bool,
    pub(crate) personal_data: bool,
    pub(crate) page_views: bool,
    /// The options of the own instance.
    pub(crate) configure: Option<Value>,
    pub(crate) aep: Value,
    pub(crate) forwarding: Value,
    pub(crate) store_views: Vec<StoreView>,
    /// Findings that do not prevent the build.
    #[serde(skip)]
    pub(crate) warnings: Vec<String>,
}

impl Plan {
    /// Decides about the website with this code.
    pub(crate) fn new(
        config: &Config,
        code: &str,
        website: &Website,
        shop: Option<&[ShopStoreView]>,
    ) -> Result<Self, StorefrontError> {
        let state = website.storefront();
        let datastream = website.storefront_datastream.as_ref().filter(|_| state.is_on());
        let Some(datastream) = datastream else {
            let (website, reason) = (code.to_owned(), state.reason());
            return Err(StorefrontError::Off { website, reason });
        };
        let settings = &config.storefront;
        let (mode, consent) = (settings.mode, settings.consent);
        let site_sdk = config.web_sdk.name.as_ref();
        let own_instance = site_sdk.is_none() && mode == StorefrontMode::Standalone;
        // Where Adobe's own instance would be used, or the theme's collector, nothing may be put in between.
        let has_gate =
            own_instance || (site_sdk.is_some() && (settings.keep_sdk_consent || !settings.personal_data));
        let sdk = match own_instance {
            true => Some(INSTANCE.to_owned()),
            false => site_sdk.filter(|_| has_gate).cloned(),
        };
        let web_sdk_name = match has_gate {
            true => Some(GATE.to_owned()),
            false => site_sdk.cloned(),
        };
        let (store_views, website_id, warnings) = views::of_website(config, code, website, shop)?;
        // Adobe Commerce has no consent of its own, and neither has the collector's instance: only its cookie.
        let controls_consent = own_instance || (site_sdk.is_some() && settings.keep_sdk_consent);
        let leaves_consent = controls_consent && !settings.forward_to_commerce;
        let asks = consent != StorefrontConsent::Assumed && mode != StorefrontMode::Contexts;
        Ok(Self {
            website: code.to_owned(),
            mode: mode.as_str(),
            organization: config.services_connector.organization_id.to_string(),
            consent: consent.as_str(),
            website_id,
            own_instance,
            site_sdk: site_sdk.cloned(),
            keeps_consent: own_instance || settings.keep_sdk_consent,
            waits: asks && !leaves_consent,
            marks_refusal: asks && !leaves_consent,
            personal_data: settings.personal_data,
            page_views: settings.page_views && mode != StorefrontMode::Contexts,
            configure: own_instance.then(|| configure(config, &datastream.to_string())),
            aep: aep(config, &datastream.to_string(), web_sdk_name),
            forwarding: json!({
                "aep": true,
                // The theme or module that loads the collector already forwards to Commerce.
                "commerce": settings.forward_to_commerce || mode == StorefrontMode::Contexts,
            }),
            sdk,
            store_views,
            warnings,
        })
    }

    /// Returns true if the website's pages load Adobe's files.
    pub(crate) fn loads_files(&self) -> bool {
        self.mode != StorefrontMode::Contexts.as_str()
    }
}

/// The context by which the collector finds its Web SDK, or creates one.
fn aep(config: &Config, datastream: &str, web_sdk_name: Option<String>) -> Value {
    let mut context = json!({
        "imsOrgId": config.services_connector.organization_id.as_str(),
        "datastreamId": datastream,
    });
    if let Some(name) = web_sdk_name {
        context["webSdkName"] = name.into();
    } else {
        context["edgeDomain"] = config.storefront.edge_domain.as_str().into();
    }
    context
}

/// The options of the own instance. Its default consent is "pending": it keeps events and sends nothing.
fn configure(config: &Config, datastream: &str) -> Value {
    let settings = &config.storefront;
    json!({
        "datastreamId": datastream,
        "orgId": config.services_connector.organization_id.as_str(),
        "edgeDomain": settings.edge_domain,
        "defaultConsent": "pending",
        "thirdPartyCookiesEnabled": settings.third_party_cookies,
        "clickCollectionEnabled": settings.link_clicks,
        // Cookies of older SDKs would be set beside the own ones.
        "idMigrationEnabled": false,
        "context": ["web"],
    })
}
