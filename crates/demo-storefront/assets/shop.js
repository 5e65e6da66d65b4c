// The demo shop's own script: the cart, the checkout, and the calls with which a shop publishes its events.
(function () {
  "use strict";
  var kind = document.currentScript.dataset.page;
  // Absent if the demo found no packages of Adobe's.
  var events = window.orderfeedStorefront;
  var get = function (id) {
    return document.getElementById(id);
  };

  function read(store, name) {
    try {
      return JSON.parse(store.getItem(name));
    } catch (error) {
      return null;
    }
  }

  function cart() {
    return read(localStorage, "cart") || { id: String(Date.now()), items: [] };
  }

  function say(text) {
    get("state").textContent = text;
  }

  function consentNotice() {
    if (!events) return;
    var shown = get("consent-state");
    var show = function (isAllowed) {
      shown.textContent = isAllowed ? "The shop may measure your visit." : "The shop does not measure your visit.";
    };
    var choose = function (isAllowed) {
      events.consent(isAllowed);
      show(isAllowed);
    };
    get("allow").addEventListener("click", choose.bind(null, true));
    get("refuse").addEventListener("click", choose.bind(null, false));
    // The Web SDK keeps the choice in a cookie.
    var kept = /_consent=general(?:=|%3D)(in|out)/.exec(document.cookie);
    if (kept) show(kept[1] === "in");
  }

  function productPage() {
    var shown = get("product").dataset;
    var product = { sku: shown.sku, name: shown.name, price: Number(shown.price) };
    if (events) events.productView(product);
    get("add").addEventListener("click", function () {
      var filled = cart();
      var added = Object.assign({ quantity: 1 }, product);
      var same = filled.items.filter(function (item) {
        return item.sku === added.sku;
      })[0];
      if (same) same.quantity += 1;
      else filled.items.push(added);
      localStorage.setItem("cart", JSON.stringify(filled));
      if (events) events.addToCart(filled, [Object.assign({ quantity: 1 }, product)]);
      say("In the cart.");
    });
  }

  function checkoutPage() {
    var filled = cart();
    if (filled.items.length === 0) return;
    filled.items.forEach(function (item) {
      var row = get("cart").insertRow();
      [item.name, item.quantity, "$ " + (item.price * item.quantity).toFixed(2)].forEach(function (text) {
        row.insertCell().textContent = text;
      });
    });
    say("Tax and shipping are added with the order.");
    get("order").disabled = false;
    if (events) events.checkout(filled);
    get("order").addEventListener("click", function () {
      get("order").disabled = true;
      place(filled);
    });
  }

  function place(filled) {
    var lines = filled.items.map(function (item) {
      return { sku: item.sku, quantity: item.quantity };
    });
    fetch("/order", { method: "POST", body: JSON.stringify({ lines: lines }) })
      .then(function (answer) {
        return answer.ok ? answer.json() : answer.text().then(Promise.reject.bind(Promise));
      })
      .then(function (order) {
        order.cart = filled;
        sessionStorage.setItem("order", JSON.stringify(order));
        localStorage.removeItem("cart");
        location.href = "/success";
      })
      .catch(function (why) {
        get("order").disabled = false;
        say("The order was not placed: " + why);
      });
  }

  function successPage() {
    var order = read(sessionStorage, "order");
    if (!order) return;
    // Not published again when the page is reloaded.
    sessionStorage.removeItem("order");
    say("Order " + order.number + " is placed.");
    if (!events) return;
    events.orderPlaced({
      orderId: order.number,
      total: order.grandTotal,
      taxAmount: order.tax,
      discountAmount: order.discount,
      shippingAmount: order.shipping,
      paymentMethod: order.payment,
      cart: order.cart
    });
  }

  consentNotice();
  if (kind === "product") productPage();
  if (kind === "checkout") checkoutPage();
  if (kind === "success") successPage();
})();
