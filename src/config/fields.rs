//! The declaration of configuration keys: one line of [`table!`] gives a field its key, type, range and reader.
//!
//! A table of the file is a struct; each field names the [`Field`] that declares and reads its key. Default and
//! documentation of the key are its commented line in `config/orderfeed.toml`, which is compiled in: a value that is not
//! set, or that does not fit, is read from there.

use std::path::PathBuf;

use crate::config::layer::Scalar;
use crate::config::reader::ConfigReader;
use crate::config::schema::{KeyKind, KeySpec};
use crate::config::values::{HumanDuration, InvalidValue};

/// A struct whose fields are the keys of one table of the file.
pub(crate) trait Table {
    /// Appends the keys of the table at `path`, in the order of the fields.
    fn declare(path: &str, keys: &mut Vec<KeySpec>);

    /// Reads the table at `path`, and reports every value that does not fit.
    fn read(path: &str, reader: &mut ConfigReader<'_>) -> Self;
}

/// The declaration of one key, or of the keys below it, and how its value becomes a `T`.
pub(crate) trait Field<T> {
    fn kind(&self) -> KeyKind {
        KeyKind::Text
    }

    fn declare(&self, path: &str, keys: &mut Vec<KeySpec>) {
        keys.push(KeySpec {
            path: path.to_owned(),
            kind: self.kind(),
        });
    }

    /// Reads the value of the key at `path`. A value that does not fit is reported and replaced by the default, so that
    /// one run reports everything that is wrong.
    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> T;
}

/// Declares a struct as a [`Table`].
macro_rules! table {
    ($(#[$about:meta])* $visible:vis struct $name:ident {
        $($(#[$doc:meta])* $field_visible:vis $field:ident: $type:ty = $declared:expr,)*
    }) => {
        $(#[$about])*
        $visible struct $name {
            $($(#[$doc])* $field_visible $field: $type,)*
        }

        impl $crate::config::fields::Table for $name {
            fn declare(path: &str, keys: &mut Vec<$crate::config::schema::KeySpec>) {
                use $crate::config::fields::{Field, join};
                $(Field::<$type>::declare(&$declared, &join(path, stringify!($field)), keys);)*
            }

            fn read(path: &str, reader: &mut $crate::config::reader::ConfigReader<'_>) -> Self {
                use $crate::config::fields::{Field, join};
                Self {
                    $($field: Field::<$type>::read(&$declared, &join(path, stringify!($field)), reader),)*
                }
            }
        }
    };
}
pub(crate) use table;

/// Returns the path of a name in the table at `path`, which is empty for the file itself.
pub(crate) fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// A table below this one.
pub(crate) struct Below;

impl<T: Table> Field<T> for Below {
    fn declare(&self, path: &str, keys: &mut Vec<KeySpec>) {
        T::declare(path, keys);
    }

    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> T {
        T::read(path, reader)
    }
}

/// A value that follows from other keys and has none of its own; it is filled in after the keys are read.
pub(crate) struct Derived;

impl<T: Default> Field<T> for Derived {
    fn declare(&self, _path: &str, _keys: &mut Vec<KeySpec>) {}

    fn read(&self, _path: &str, _reader: &mut ConfigReader<'_>) -> T {
        T::default()
    }
}

/// A whole number between two bounds, both included.
pub(crate) struct Int(pub i64, pub i64);

impl<T: TryFrom<i64> + Default> Field<T> for Int {
    fn kind(&self) -> KeyKind {
        KeyKind::Int(self.0, self.1)
    }

    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> T {
        if let Some(Scalar::Int(value)) = reader.value(path) {
            match T::try_from(*value) {
                // Both the range and the type must hold the number.
                Ok(number) if (self.0..=self.1).contains(value) => return number,
                _ => {
                    let expected = Field::<T>::kind(self).expected();
                    reader.problem(path, format!("{value} is out of range; expected {expected}"));
                }
            }
        }
        match reader.default(path) {
            Some(Scalar::Int(value)) => T::try_from(*value).unwrap_or_default(),
            _ => T::default(),
        }
    }
}

/// A duration between two bounds, both included.
pub(crate) struct DurationIn(pub &'static str, pub &'static str);

impl Field<HumanDuration> for DurationIn {
    fn kind(&self) -> KeyKind {
        KeyKind::Duration(self.0, self.1)
    }

    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> HumanDuration {
        let value: HumanDuration = Parse(str::parse).read(path, reader);
        // A refused value was replaced by the default, which is within the range.
        let within = self.0.parse().is_ok_and(|min: HumanDuration| value >= min)
            && self.1.parse().is_ok_and(|max: HumanDuration| value <= max);
        if !within {
            let expected = self.kind().expected();
            reader.problem(path, format!("\"{value}\" is out of range; expected {expected}"));
        }
        value
    }
}

/// `true` or `false`. Without a value, `bool` is false and `Option<bool>` is `None`.
pub(crate) struct Flag;

impl<T: From<bool> + Default> Field<T> for Flag {
    fn kind(&self) -> KeyKind {
        KeyKind::Bool
    }

    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> T {
        match reader.value(path) {
            Some(Scalar::Bool(value)) => T::from(*value),
            _ => T::default(),
        }
    }
}

type Parser<T> = fn(&str) -> Result<T, InvalidValue>;

/// Text that a function parses, of a key that has a default.
pub(crate) struct Parse<T>(pub Parser<T>);

impl<T> Field<T> for Parse<T> {
    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> T {
        reader
            .parsed(path, self.0)
            .unwrap_or_else(|| self.fallback(path, reader))
    }
}

impl<T> Parse<T> {
    /// Returns the default of the key at `path`.
    #[expect(
        clippy::expect_used,
        reason = "the defaults are compiled in, and every test run parses each of them"
    )]
    pub(crate) fn fallback(&self, path: &str, reader: &ConfigReader<'_>) -> T {
        let default = match reader.default(path) {
            Some(Scalar::Text(text)) => self.0(text).ok(),
            _ => None,
        };
        default.expect("a key of this kind has a default")
    }
}

/// Text that a function parses; `None` if the key is not set.
pub(crate) struct Optional<T>(pub Parser<T>);

impl<T> Field<Option<T>> for Optional<T> {
    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> Option<T> {
        reader.parsed(path, self.0)
    }
}

/// Text that a function parses; the empty value of the type if the key is not set.
pub(crate) struct OrEmpty<T>(pub Parser<T>);

impl<T: Default> Field<T> for OrEmpty<T> {
    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> T {
        reader.parsed(path, self.0).unwrap_or_default()
    }
}

/// A URL that may hold a password, so that no message quotes it; the empty value of the type if the key is not set.
pub(crate) struct SecretUrl<T>(pub Parser<T>);

impl<T: Default> Field<T> for SecretUrl<T> {
    fn kind(&self) -> KeyKind {
        KeyKind::SecretUrl
    }

    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> T {
        match reader.text(path).map(self.0) {
            Some(Ok(value)) => return value,
            Some(Err(invalid)) => reader.problem(path, invalid.to_string()),
            None => {}
        }
        T::default()
    }
}

/// The path of a file. Relative paths start at the directory of the configuration file.
pub(crate) struct FilePath;

impl Field<Option<PathBuf>> for FilePath {
    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> Option<PathBuf> {
        reader.path(path)
    }
}

impl Field<PathBuf> for FilePath {
    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> PathBuf {
        reader.path(path).unwrap_or_default()
    }
}

/// A secret `x` and its second key `x_file`. Both stay empty here: [`crate::config::secret`] reads files and credentials
/// once everything else is known.
pub(crate) struct Secret;

impl<T: Default> Field<T> for Secret {
    fn declare(&self, path: &str, keys: &mut Vec<KeySpec>) {
        let (path, file) = (path.to_owned(), format!("{path}_file"));
        keys.extend(
            [(path, KeyKind::Secret), (file, KeyKind::Text)].map(|(path, kind)| KeySpec { path, kind }),
        );
    }

    fn read(&self, _path: &str, _reader: &mut ConfigReader<'_>) -> T {
        T::default()
    }
}

/// Accepts any text.
pub(crate) fn any_text(text: &str) -> Result<String, InvalidValue> {
    Ok(text.to_owned())
}
