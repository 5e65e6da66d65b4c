/* orderfeed: loads Adobe's Web SDK and event collector for a shop's pages. Generated; change the configuration instead.
   Pages use window.orderfeedStorefront, which docs/STOREFRONT.md describes. */
(function (settings) {
  "use strict";
  var page = document;
  if (window.orderfeedStorefront) { return; }

  /* The name of the own instance of the Web SDK, and of the function that stands between it and the collector. */
  var INSTANCE = "orderfeedAlloy";
  var GATE = "orderfeedWebSdk";
  var tag = page.currentScript;
  var layer = window.adobeDataLayer = window.adobeDataLayer || [];
  var current = null;
  var permitted = null;
  var asked = null;
  var refused = false;
  var begun = false;
  var started = false;
  var resolveLoaded;
  var loaded = new Promise(function (resolve) { resolveLoaded = resolve; });

  function warn(text) {
    if (window.console) { console.warn("orderfeed storefront: " + text); }
  }

  function once(target, name, then) { target.addEventListener(name, then, { once: true }); }

  /* The store view of this page: named by the script's attribute, the only one, or the one whose address is the longest that
     this page's address starts with. */
  function findView() {
    var name = tag && tag.getAttribute("data-store-view");
    var views = settings.storeViews;
    if (name) { return views.filter(function (view) { return view.code === name; })[0]; }
    if (views.length === 1) { return views[0]; }
    var here = location.origin + location.pathname;
    return views.filter(function (view) {
      var base = (view.baseUrl || "").replace(/^https?:/, location.protocol);
      return base && (here + "/").indexOf(base) === 0;
    }).sort(function (a, b) { return b.baseUrl.length - a.baseUrl.length; })[0];
  }

  /* Consent: true, false, or null while the shopper has not chosen. */
  function permission() {
    /* Adobe's collector treats this text anywhere among the cookies as a refusal. */
    if (page.cookie.indexOf("mg_dnt") !== -1) { return false; }
    if (settings.consent === "assumed") { return true; }
    var known = storedConsent();
    if (settings.consent === "cookie_restriction") {
      return allowedByNotice() ? true : (permitted === true || known === "in" ? false : null);
    }
    if (asked !== null) { return asked; }
    return known === "in" ? true : (known === "out" ? false : null);
  }

  function cookie(name) {
    var found = ("; " + page.cookie).split("; " + name + "=")[1];
    return found === undefined ? null : decoded(found.split(";")[0]);
  }

  function decoded(text) {
    try { return decodeURIComponent(text); } catch (error) { return text; }
  }

  /* What the Web SDK keeps of an earlier choice. */
  function storedConsent() {
    var value = cookie("kndctr_" + settings.organization.replace("@", "_") + "_consent") || "";
    var found = /general=(in|out)/.exec(value);
    return found ? found[1] : null;
  }

  /* Commerce's notice: the cookie is JSON, with the ids of the websites for which cookies are allowed. */
  function allowedByNotice() {
    try { return JSON.parse(cookie("user_allowed_save_cookie"))[settings.websiteId] === 1; } catch (error) { return false; }
  }

  /* Applies a change of the permission. A refusal without an earlier consent sends nothing. */
  function applyPermission() {
    var now = begun ? permission() : null;
    if (now === permitted || now === null) { return; }
    var before = permitted;
    permitted = now;
    refused = !now;
    if (settings.ownInstance) {
      var known = storedConsent();
      if (now && (before === false || known !== "in") && !startsConsented()) { setConsent("in"); }
      if (!now && (before === true || known === "in")) { setConsent("out"); }
    }
    if (settings.marksRefusal && started && !now) { markRefusal(true); }
    if (settings.waits && now) { load(); }
  }

  function startsConsented() {
    return settings.consent === "assumed" && storedConsent() === null && permitted === true && !started;
  }

  function setConsent(general) {
    window[INSTANCE]("setConsent", { consent: [{ standard: "Adobe", version: "1.0", value: { general: general } }] })
      .catch(function (error) { warn("the consent could not be set: " + error.message); });
  }

  /* The cookie by which Adobe's collector, and the Web SDK within it, notice a withdrawal. */
  function markRefusal(isRefused) {
    var end = isRefused ? "" : "; expires=Thu, 01 Jan 1970 00:00:00 GMT";
    page.cookie = "mg_dnt=" + (isRefused ? "1" : "") + "; path=/; SameSite=Lax" + end;
  }

  function consent(isGiven) {
    asked = Boolean(isGiven);
    if (settings.marksRefusal && asked) { markRefusal(false); }
    applyPermission();
  }

  /* Removes what names a person from an event. */
  function withoutPerson(xdm) {
    if (settings.personalData || !xdm) { return; }
    delete xdm.personalEmail;
    Object.keys(xdm.identityMap || {}).forEach(function (name) {
      if (name.toLowerCase() === "email") { delete xdm.identityMap[name]; }
    });
  }

  /* Stands between the collector and the Web SDK, because the collector sets consent by itself once a second. */
  function gate(command, options) {
    if (command === "setConsent" && settings.keepsConsent) { return Promise.resolve({}); }
    /* Not sent later either: the shopper refused when it happened. */
    if (refused && settings.ownInstance) { return new Promise(function () {}); }
    if (command === "sendEvent" && options && options.xdm && !settings.personalData) {
      options = Object.assign({}, options, { xdm: JSON.parse(JSON.stringify(options.xdm)) });
      withoutPerson(options.xdm);
    }
    return window[settings.sdk](command, options);
  }

  /* Adobe's base code for one instance: a queue until the file has loaded. */
  function createInstance() {
    window[INSTANCE] = function () {
      var call = arguments;
      return new Promise(function (resolve, reject) {
        window.setTimeout(function () { window[INSTANCE].q.push([resolve, reject, call]); });
      });
    };
    window[INSTANCE].q = [];
    var options = Object.assign({}, settings.configure);
    options.onBeforeEventSend = function (content) { withoutPerson(content.xdm); };
    if (settings.consent === "assumed" && permission()) { options.defaultConsent = "in"; }
    window[INSTANCE]("configure", options).catch(function (error) { warn("the Web SDK was not configured: " + error.message); });
  }

  function set(name, value) {
    /* Null first: the data layer merges a value into the previous one. */
    var empty = {}, filled = {};
    empty[name] = null;
    filled[name] = value;
    layer.push(empty);
    layer.push(filled);
  }

  function publish(event, contexts) {
    Object.keys(contexts || {}).forEach(function (name) { set(name, contexts[name]); });
    layer.push(function (dl) { dl.push({ event: event, eventInfo: Object.assign({}, dl.getState()) }); });
  }

  function setContexts() {
    set("storefrontInstanceContext", current.context);
    set("eventForwardingContext", settings.forwarding);
    set("aepContext", settings.aep);
  }

  /* A second collector would send every event twice. */
  function foreignCollector() {
    if (window.magentoStorefrontEvents) { return "the page already has Adobe's events SDK"; }
    var known = page.querySelector('script[src*="storefront-event"],script[src*="acds-events.adobe.io"]');
    if (known) { return "the page loads " + known.src; }
    var contexts = window.requirejs && window.requirejs.s && window.requirejs.s.contexts;
    var paths = contexts && contexts._ && contexts._.config && contexts._.config.paths || {};
    return paths.magentoStorefrontEvents || paths.magentoStorefrontEventCollector ? "RequireJS has a path for Adobe's events SDK" : null;
  }

  /* The own instance of the Web SDK is deployed with the collector, so another collector has none to send with. */
  function yieldTo(foreign) {
    warn(foreign + (settings.ownInstance
      ? '; no events are sent: set storefront.mode = "contexts", or remove the other one'
      : "; only the settings were given to it"));
  }

  function whenParsed(then) {
    if (page.readyState === "loading") { once(page, "DOMContentLoaded", then); } else { then(); }
  }

  /* The site's own Web SDK may be defined after this script. */
  function whenSdkExists(then) {
    var name = settings.siteSdk;
    if (!name || window[name]) { return then(); }
    var check = function () {
      if (window[name]) { return then(); }
      warn("window." + name + ", which web_sdk.name names, does not exist; no events are sent");
    };
    if (page.readyState === "complete") { check(); } else { once(window, "load", check); }
  }

  function load() {
    if (started) { return; }
    started = true;
    whenParsed(function () {
      var foreign = foreignCollector();
      if (foreign) { return yieldTo(foreign); }
      whenSdkExists(insert);
    });
  }

  function insert() {
    var script = page.createElement("script");
    var base = tag && tag.src ? tag.src : new URL(settings.loader, location.href).href;
    script.src = new URL(settings.bundle.file, base).href;
    script.integrity = settings.bundle.integrity;
    script.crossOrigin = "anonymous";
    script.async = true;
    if (tag && tag.nonce) { script.nonce = tag.nonce; }
    script.onload = function () { resolveLoaded(); };
    script.onerror = function () {
      warn(script.src + " was not loaded: is the file there, unchanged, and allowed by the content security policy?");
    };
    page.head.appendChild(script);
  }

  /* Sends nothing and sets no cookie: without it, events that the page publishes while it is prerendered would lack their
     contexts, and the collector of a theme would find no settings. */
  function prepare() {
    if (settings.sdk) { window[GATE] = gate; }
    setContexts();
  }

  function begin() {
    begun = true;
    if (settings.ownInstance) { createInstance(); }
    var foreign = foreignCollector();
    if (foreign && settings.mode !== "contexts") { return yieldTo(foreign); }
    if (settings.pageViews) { whenParsed(function () { api.pageView(); }); }
    if (settings.mode === "contexts") { return; }
    applyPermission();
    window.setInterval(applyPermission, 1000);
    if (!settings.waits) { load(); }
  }

  /*HELPERS*/

  current = findView();
  window.orderfeedStorefront = api;
  if (!current) { return warn("this page belongs to no known store view; give the script the attribute data-store-view"); }
  prepare();
  if (page.prerendering) { once(page, "prerenderingchange", begin); } else { begin(); }
})(/*SETTINGS*/);
