//! The system's keychain.

#[cfg_attr(any(target_os = "macos", windows), path = "keychain/native.rs")]
#[cfg_attr(not(any(target_os = "macos", windows)), path = "keychain/secret_service.rs")]
mod os;

/// Why the keychain gave no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// There is a keychain, but no such entry.
    #[error("the keychain has no entry")]
    NoEntry,
    /// There is none, it is locked, or it does not answer.
    #[error("the keychain cannot be read: {0}")]
    Unreachable(String),
}

/// Reads the entry of a service and account. Blocks, and may ask the person.
///
/// # Errors
/// When there is no such entry, or no keychain that answers.
pub(crate) fn read(service: &str, account: &str) -> Result<String, KeychainError> {
    os::read(service, account)
}
