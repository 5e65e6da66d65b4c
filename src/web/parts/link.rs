//! Addresses of pages with their filters.

use url::form_urlencoded::{Serializer, byte_serialize};

/// Returns `path` with these parameters; those without a value are left out.
pub fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    let query = Serializer::new(String::new()).extend_pairs(given).finish();
    match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{query}"),
    }
}

/// Returns the address of an order's page.
pub fn order_link(number: &str) -> String {
    // A form writes a space as a plus, which a path does not.
    let number: String = byte_serialize(number.as_bytes()).collect();
    format!("/orders/{}", number.replace('+', "%20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_parameters_stay_values() {
        let address = link("/failed", &[("website", "a&code=\"><b>"), ("kind", "")]);
        assert_eq!(address, "/failed?website=a%26code%3D%22%3E%3Cb%3E");
        assert_eq!(order_link("1/../ 2?"), "/orders/1%2F..%2F%202%3F");
    }
}
