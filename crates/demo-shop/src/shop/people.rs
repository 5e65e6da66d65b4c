//! Invented shoppers and addresses. Every e-mail address is at a domain reserved by RFC 2606. Names contain umlauts,
//! apostrophes, other scripts and emoji, and some fill the whole column.

use fastrand::Rng;

use crate::shop::stores::Website;

const FIRST: [&str; 16] = [
    "Ada",
    "Björn",
    "Chloé",
    "Dmitrij",
    "Eleni",
    "Fatma",
    "Grace",
    "Hálfdán",
    "Ingrid",
    "José",
    "Kenji",
    "Łucja",
    "Máire",
    "Nguyễn",
    "花子",
    "Zoë 🌟",
];
const LAST: [&str; 14] = [
    "Lovelace",
    "Müller",
    "O'Neill",
    "Nuñez",
    "Παπαδοπούλου",
    "Иванова",
    "山田",
    "Øster",
    "de la Cruz",
    "Smith-Jones",
    "Şahin",
    "Tran",
    "Wójcik",
    "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafe",
];
const SLUGS: [&str; 12] = [
    "ada",
    "bjoern",
    "chloe",
    "Grace.Hopper",
    "ELENI",
    "jose+orders",
    "kenji",
    "lucja",
    "maire",
    "o'neill",
    "zoe",
    "x",
];
const DOMAINS: [&str; 4] = ["example.com", "example.org", "Example.COM", "mail.example.net"];
const STREETS: [&str; 6] = [
    "1 Infinite Loop",
    "Hauptstraße 5\nHinterhaus, 2. Stock",
    "12 rue de l'Église",
    "1-2-3 丸の内",
    "221b Baker Street\nc/o Hudson\nFlat 2",
    "Calle Mayor 7, 3º",
];
const CITIES: [(&str, &str, &str); 6] = [
    ("Austin", "Texas", "73301"),
    ("München", "Bayern", "80331"),
    ("Besançon", "Doubs", "25000"),
    ("千代田区", "東京都", "100-0005"),
    ("London", "", "NW1 6XE"),
    ("Łódź", "Łódzkie", "90-001"),
];

#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// `None` for a guest.
    pub customer_id: Option<i64>,
    /// `None` or empty for a guest who left none.
    pub email: Option<String>,
    pub first: &'static str,
    pub last: &'static str,
}

/// A postal address.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub street: &'static str,
    pub city: &'static str,
    pub region: Option<&'static str>,
    pub postcode: &'static str,
    pub country: &'static str,
    pub telephone: String,
    pub company: Option<&'static str>,
}

/// Generates a person. A registered customer always has the same id and e-mail address.
pub(crate) fn person(rng: &mut Rng, guests_without_email_per_mille: u32) -> Person {
    let guest = rng.u32(..100) < 35;
    let number = if guest {
        rng.i64(1_000_000..9_999_999)
    } else {
        rng.i64(1..20_000)
    };
    let pick =
        |choices: usize, salt: i64| usize::try_from((number * salt) % i64::try_from(choices).unwrap_or(1));
    let first = FIRST[pick(FIRST.len(), 7).unwrap_or(0)];
    let last = LAST[pick(LAST.len(), 11).unwrap_or(0)];
    let slug = SLUGS[pick(SLUGS.len(), 5).unwrap_or(0)];
    let domain = DOMAINS[pick(DOMAINS.len(), 3).unwrap_or(0)];
    let silent = guest && rng.u32(..1000) < guests_without_email_per_mille;
    let email = match (silent, number % 2) {
        (true, 0) => None,
        // Some checkouts store an empty text instead.
        (true, _) => Some(String::new()),
        (false, _) => Some(format!("{slug}.{number}@{domain}")),
    };
    Person {
        customer_id: (!guest).then_some(number),
        email,
        first,
        last,
    }
}

/// Generates an address, mostly in the website's country.
pub(crate) fn place(rng: &mut Rng, website: &Website) -> Place {
    let (city, region, postcode) = CITIES[rng.usize(..CITIES.len())];
    let abroad = ["AT", "CH", "PL", "IE"][rng.usize(..4)];
    Place {
        street: STREETS[rng.usize(..STREETS.len())],
        city,
        region: (!region.is_empty()).then_some(region),
        postcode,
        country: if rng.u32(..10) == 0 {
            abroad
        } else {
            website.country
        },
        telephone: format!("+00 555 {:07}", rng.u32(..10_000_000)),
        company: (rng.u32(..8) == 0).then_some("Example Trading & Söhne GmbH"),
    }
}
