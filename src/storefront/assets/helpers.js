  /* What a page publishes itself. Prices are numbers in the currency of the store view, unless one is given. */
  function price(value, currency) {
    return { value: Number(value), currency: currency || current.context.storeViewCurrencyCode };
  }

  function product(given) {
    var plain = Object.assign({}, given);
    plain.mainImageUrl = given.mainImageUrl || given.imageUrl || "";
    plain.pricing = given.pricing || {
      regularPrice: Number(given.price),
      specialPrice: given.specialPrice === undefined ? undefined : Number(given.specialPrice),
      currencyCode: given.currency || current.context.storeViewCurrencyCode
    };
    ["imageUrl", "price", "specialPrice", "currency"].forEach(function (name) { delete plain[name]; });
    return JSON.parse(JSON.stringify(plain));
  }

  function cartItem(given, at) {
    return {
      id: String(given.id || given.sku || at),
      quantity: Number(given.quantity),
      prices: { price: price(given.price, given.currency) },
      product: product(given.product || { sku: given.sku, name: given.name, imageUrl: given.imageUrl, price: given.price, currency: given.currency }),
      configurableOptions: (given.options || []).map(function (option) {
        return { optionLabel: option.label, valueLabel: option.value };
      })
    };
  }

  function cart(given) {
    var items = (given.items || []).map(cartItem);
    var sum = items.reduce(function (total, item) { return total + item.prices.price.value * item.quantity; }, 0);
    return {
      id: String(given.id),
      items: items,
      totalQuantity: items.reduce(function (total, item) { return total + item.quantity; }, 0),
      prices: { subtotalExcludingTax: price(given.subtotal === undefined ? sum : given.subtotal, given.currency) },
      possibleOnepageCheckout: true
    };
  }

  function changed(items) { return { items: (items || []).map(cartItem) }; }

  function order(given) {
    return JSON.parse(JSON.stringify({
      orderId: String(given.orderId),
      grandTotal: Number(given.total),
      orderType: "checkout",
      payments: (given.payments || [{ code: given.paymentMethod }]).map(function (payment) {
        return {
          paymentMethodCode: payment.code || "unknown",
          paymentMethodName: payment.name || payment.code || "unknown",
          total: Number(payment.total === undefined ? given.total : payment.total)
        };
      }),
      shipping: { shippingMethod: given.shippingMethod || "", shippingAmount: Number(given.shippingAmount || 0) },
      discountAmount: Number(given.discountAmount || 0),
      taxAmount: Number(given.taxAmount || 0),
      subtotalExcludingTax: given.subtotal === undefined ? undefined : Number(given.subtotal)
    }));
  }

  /* The cart is empty once an order is placed, so it is kept for the page after it, for a shopper who has agreed. */
  var KEPT = "orderfeedStorefrontCart";

  function keep(context) {
    if (permission() !== true) { return; }
    try { sessionStorage.setItem(KEPT, JSON.stringify(context)); } catch (error) { /* Storage may be forbidden. */ }
  }

  function kept() {
    try {
      var text = sessionStorage.getItem(KEPT);
      sessionStorage.removeItem(KEPT);
      return JSON.parse(text);
    } catch (error) { return null; }
  }

  function checked(name, then) {
    return function (first, second) {
      /* A mistake in an event must not stop the shop's own script. */
      try { then(first || {}, second); } catch (error) { warn(name + " was not published: " + error.message); }
    };
  }

  /* The identity that the events of the back office have: a hash of the address, which never leaves the page itself. */
  function identify(email) {
    var text = new TextEncoder().encode(String(email).trim().toLowerCase());
    return crypto.subtle.digest("SHA-256", text).then(function (hash) {
      var id = Array.from(new Uint8Array(hash)).map(function (byte) { return ("0" + byte.toString(16)).slice(-2); }).join("");
      set("aepContext", Object.assign({}, settings.aep, { identityMap: { Email_LC_SHA256: [{ id: id, primary: false }] } }));
    });
  }

  var api = {
    identify: identify,
    consent: consent,
    loaded: loaded,
    publish: checked("the event", publish),
    pageView: checked("the page view", function (given) {
      publish("page-view", { pageContext: {
        pageType: given.pageType || (tag && tag.getAttribute("data-page-type")) || "page",
        pageName: given.pageName || page.title || location.pathname,
        eventType: "visibilityHidden", maxXOffset: 0, maxYOffset: 0, minXOffset: 0, minYOffset: 0
      } });
    }),
    productView: checked("the product view", function (given) {
      publish("product-page-view", { productContext: product(given) });
    }),
    addToCart: checked("the addition to the cart", function (given, items) {
      publish("add-to-cart", { shoppingCartContext: cart(given), changedProductsContext: changed(items) });
    }),
    removeFromCart: checked("the removal from the cart", function (given, items) {
      publish("remove-from-cart", { shoppingCartContext: cart(given), changedProductsContext: changed(items) });
    }),
    cartView: checked("the view of the cart", function (given) {
      publish("shopping-cart-view", { shoppingCartContext: cart(given) });
    }),
    checkout: checked("the checkout", function (given) {
      var context = cart(given);
      keep(context);
      publish("initiate-checkout", { shoppingCartContext: context });
    }),
    orderPlaced: checked("the order", function (given) {
      var context = given.cart ? cart(given.cart) : kept();
      if (!context) { throw new Error("it needs the cart, because none was kept at the checkout"); }
      publish("place-order", { orderContext: order(given), shoppingCartContext: context });
    })
  };
