//! The password of the web pages as an argon2id hash, in the usual text form (`$argon2id$v=19$…`). The file is read again when
//! it changed, so that a new password is in force at once.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rustix::fs::OFlags;

use crate::ops::replace_file::replace_file;

/// Memory of one hash in KiB, of which the daemon computes one at a time. OWASP's first recommendation for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Largest memory and number of passes that a hash in the file may ask for: a larger one could exhaust a small machine.
const MAX_MEMORY_KIB: u32 = 64 * 1024;
const MAX_PASSES: u32 = 16;

const SALT_BYTES: usize = 16;
/// Largest length of the file; a hash has about 100 bytes.
const MAX_FILE: u64 = 1024;

/// Shortest password, in characters.
pub const MIN_CHARS: usize = 8;
/// Longest password, in bytes.
pub const MAX_BYTES: usize = 1024;

/// A hash that verifies no password, of the same cost: a login without a password takes as long as any other.
const NO_PASSWORD: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$b3JkZXJmZWVkLW5vbmUhIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The reason for which a password cannot be set or used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("the password is too short; expected at least {MIN_CHARS} characters")]
    TooShort,
    #[error("the password is too long; expected at most {MAX_BYTES} bytes")]
    TooLong,
    #[error("the file holds no argon2id hash; write it with `orderfeed admin set-password`")]
    NoHash,
    #[error(
        "the hash asks for more than {MAX_MEMORY_KIB} KiB or {MAX_PASSES} passes; write it again with `orderfeed admin set-password`"
    )]
    TooCostly,
    #[error("the hash cannot be computed: {0}")]
    Hash(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Hashes a new password with a random salt.
///
/// # Errors
/// `TooShort` or `TooLong`; `Hash` if the system gives no random bytes.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < MIN_CHARS {
        return Err(PasswordError::TooShort);
    }
    if password.len() > MAX_BYTES {
        return Err(PasswordError::TooLong);
    }
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| PasswordError::Hash(error.to_string()))?;
    let failed = |error: &dyn std::fmt::Display| PasswordError::Hash(error.to_string());
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| failed(&error))?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = argon
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| failed(&error))?;
    Ok(hash.to_string())
}

/// Writes a hash to `path`: complete, or not at all. `own` gives the open file to its reader.
///
/// # Errors
/// Those of the system; then an older file is unchanged.
pub fn write(path: &Path, hash: &str, own: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    replace_file(path, &format!("{hash}\n"), 0o600, own)
}

/// A hash from the file, with the identity of the file that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    changed: (i64, i64),
    length: u64,
}

impl Stamp {
    /// Returns the identity of the file at `path`; `None` if there is no file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|found| Self {
            inode: found.ino(),
            // The time of the inode's change, which no user can set.
            changed: (found.ctime(), found.ctime_nsec()),
            length: found.len(),
        })
    }
}

/// Reads the hash in the file at `path`.
///
/// # Errors
/// If the file cannot be read, is no regular file, or holds no hash that may be used.
pub(crate) fn read(path: &Path) -> Result<String, PasswordError> {
    // A pipe without a writer must not block the daemon.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file").into());
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    let text = text.trim();
    let hash = PasswordHash::new(text).map_err(|_| PasswordError::NoHash)?;
    let params = Params::try_from(&hash).map_err(|_| PasswordError::NoHash)?;
    if hash.algorithm.as_str() != "argon2id" || hash.hash.is_none() || hash.salt.is_none() {
        return Err(PasswordError::NoHash);
    }
    if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES {
        return Err(PasswordError::TooCostly);
    }
    Ok(text.to_owned())
}

/// Returns true if `password` has this hash. Without a hash the answer is no, after the same work.
pub(crate) fn verify(password: &str, hash: Option<&str>) -> bool {
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NO_PASSWORD)) else {
        return false;
    };
    let is_right = Argon2::default()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok();
    is_right && hash.is_some()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_is_verified_by_its_hash_alone() {
        let hashed = hash("correct horse").unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify("correct horse", Some(&hashed)));
        assert!(!verify("correct horsf", Some(&hashed)) && !verify("correct horse", None));
        assert_ne!(hashed, hash("correct horse").unwrap());
    }

    #[test]
    fn the_hash_of_no_password_costs_as_much_as_any_other() {
        let none = PasswordHash::new(NO_PASSWORD).unwrap();
        let params = Params::try_from(&none).unwrap();
        assert_eq!((params.m_cost(), params.t_cost()), (MEMORY_KIB, PASSES));
        assert_eq!(none.hash.unwrap().len(), 32);
    }

    #[test]
    fn a_password_has_a_least_and_a_greatest_length() {
        assert!(matches!(hash("seven77"), Err(PasswordError::TooShort)));
        assert!(matches!(
            hash(&"x".repeat(MAX_BYTES + 1)),
            Err(PasswordError::TooLong)
        ));
    }

    #[test]
    fn the_file_is_private_and_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let hashed = hash("correct horse").unwrap();
        write(&path, &hashed, |_| Ok(())).unwrap();
        let before = Stamp::of(&path);
        assert_eq!(read(&path).unwrap(), hashed);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        write(&path, &hashed, |_| Ok(())).unwrap();
        assert_ne!(Stamp::of(&path), before);
    }

    #[test]
    fn a_file_without_a_usable_hash_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let of = |text: &str| {
            fs::write(&path, text).unwrap();
            read(&path).unwrap_err().to_string()
        };
        assert!(of("hunter2").contains("no argon2id hash"));
        let costly = hash("correct horse").unwrap().replace("m=19456", "m=1048576");
        assert!(of(&costly).contains("asks for more"));
        assert!(of(&costly.replace("argon2id", "argon2i")).contains("no argon2id hash"));
        assert!(read(dir.path()).is_err());
    }
}
