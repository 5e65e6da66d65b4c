//! Enums of which each value has one name in the configuration.

/// Declares an enum with the name of each value, so that reading, printing and error messages cannot differ.
macro_rules! choices {
    ($(#[$about:meta])* pub enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $text:literal,)+
    }) => {
        orderfeed_model::words! {
            $(#[$about])*
            pub enum $name { $($(#[$doc])* $variant = $text,)+ }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::config::values::InvalidValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(Self::Err::new(
                        "is not one of the choices",
                        [$(concat!("\"", $text, "\"")),+].join(" or "),
                    )),
                }
            }
        }
    };
}
pub(crate) use choices;
