//! The shop's pages. What a visitor has in the cart is kept by `assets/shop.js` in the browser.

use crate::options::StorefrontOptions;
use orderfeed_demo_shop::amount::Amount;
use orderfeed_demo_shop::shop::checkout::{Offer, offers};

/// Builds the list of products.
pub(crate) fn home(options: &StorefrontOptions) -> String {
    let products: String = offers()
        .iter()
        .map(|offer| {
            format!(
                "<li><a href=\"/product/{}\">{}</a> <span>{}</span></li>\n",
                escape(offer.sku),
                escape(offer.name),
                price(offer.price)
            )
        })
        .collect();
    let body = format!(
        "<h1>Demo shop</h1>\n<p>Each order placed here becomes an order in the demo shop's database. Its visitors' clicks go \
         to the local edge.</p>\n<ul class=\"products\">\n{products}</ul>"
    );
    shop_page(options, "home", "Demo shop", &body)
}

/// Builds the page of a product. `None` for an unknown one.
pub(crate) fn product(options: &StorefrontOptions, sku: &str) -> Option<String> {
    let offer: Offer = offers().into_iter().find(|offer| offer.sku == sku)?;
    let body = format!(
        "<h1>{name}</h1>\n<p class=\"price\">{price}</p>\n\
         <p id=\"product\" data-sku=\"{sku}\" data-name=\"{name}\" data-price=\"{amount}\">SKU {sku}</p>\n\
         <button id=\"add\" type=\"button\">Add to cart</button>\n<p id=\"state\" role=\"status\"></p>\n\
         <p><a id=\"to-checkout\" href=\"/checkout\">Checkout</a></p>",
        name = escape(offer.name),
        sku = escape(offer.sku),
        price = price(offer.price),
        amount = number(offer.price),
    );
    Some(shop_page(options, "product", offer.name, &body))
}

pub(crate) fn checkout(options: &StorefrontOptions) -> String {
    let body = "<h1>Checkout</h1>\n<table><thead><tr><th>Product</th><th>Pieces</th><th>Price</th></tr></thead>\
                <tbody id=\"cart\"></tbody></table>\n<button id=\"order\" type=\"button\" disabled>Place order</button>\n\
                <p id=\"state\" role=\"status\">The cart is empty.</p>";
    shop_page(options, "checkout", "Checkout", body)
}

pub(crate) fn success(options: &StorefrontOptions) -> String {
    let body = "<h1>Thank you</h1>\n<p id=\"state\" role=\"status\">There is no order.</p>\n\
                <p><a href=\"/edge\">See what arrived at the edge</a></p>";
    shop_page(options, "success", "Thank you", body)
}

/// Builds a page that loads the Web SDK, and asks for consent.
fn shop_page(options: &StorefrontOptions, kind: &str, title: &str, body: &str) -> String {
    let notice = match options.snippet.is_empty() {
        true => "<p>The pages send no events: Adobe's packages were not found.</p>",
        false => {
            "<div id=\"consent\"><span id=\"consent-state\">May the shop measure your visit?</span>\n\
             <button id=\"allow\" type=\"button\">Allow</button>\n<button id=\"refuse\" type=\"button\">Refuse</button></div>"
        }
    };
    // The redirect comes first: the Web SDK takes the browser's functions when it is loaded.
    let head = format!(
        "<script src=\"/assets/redirect.js\" data-edge=\"{}\"></script>\n{}\n\
         <script src=\"/assets/shop.js\" data-page=\"{kind}\" defer></script>",
        escape(&options.edge.edge_url()),
        options.snippet.trim(),
    );
    page(options, title, &head, &format!("{notice}\n{body}"))
}

/// Builds a page with the shop's frame.
pub(crate) fn page(options: &StorefrontOptions, title: &str, head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"/assets/shop.css\">\n<link rel=\"icon\" href=\"data:,\">\n{head}\n</head>\n<body>\n\
         <nav><a href=\"/\">Products</a> <a href=\"/checkout\">Checkout</a> <a href=\"/edge\">What arrived at the edge</a> \
         <a href=\"{daemon}/\">orderfeed</a></nav>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        title = escape(title),
        daemon = escape(&options.daemon),
    )
}

fn price(amount: Amount) -> String {
    format!("$ {}", number(amount))
}

/// Formats an amount with two decimal places.
fn number(amount: Amount) -> String {
    let text = amount.to_string();
    text.get(..text.len() - 2).unwrap_or(&text).to_owned()
}

/// Escapes text for HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_prices_have_cents() {
        assert_eq!(escape("<b a='\"&'>"), "&lt;b a=&#39;&quot;&amp;&#39;&gt;");
        assert_eq!(price(Amount::hundredths(3400)), "$ 34.00");
    }
}
