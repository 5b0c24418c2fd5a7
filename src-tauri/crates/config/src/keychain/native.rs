use super::KeychainError;

pub(super) fn read(service: &str, account: &str) -> Result<String, KeychainError> {
    keyring::Entry::new(service, account).and_then(|entry| entry.get_password()).map_err(|error| {
        match error {
            keyring::Error::NoEntry => KeychainError::NoEntry,
            other => KeychainError::Unreachable(other.to_string()),
        }
    })
}
