//! Where a redirect leads.

use reqwest::header::{HeaderValue, LOCATION};
use reqwest::{Response, StatusCode};
use url::Url;

use super::fields::SCHEMES;
use crate::text::clean;

/// Where the response redirects to, if it does.
pub(super) fn location(response: &Response) -> Option<&HeaderValue> {
    let follows = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    response.headers().get(LOCATION).filter(|_| follows)
}

/// The address that `location` means when `from` says so.
pub(super) fn url(from: &Url, location: &HeaderValue) -> Result<Url, String> {
    let text = String::from_utf8_lossy(location.as_bytes());
    let mut url = from
        .join(&text)
        .map_err(|error| format!("redirected to something that is not a URL: {error}"))?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(format!("redirected to {}, which is not HTTP", without_secrets(&url)));
    }
    let (user, password) =
        if url.origin() == from.origin() { (from.username(), from.password()) } else { ("", None) };
    set_credentials(&mut url, user, password);
    url.set_fragment(None);
    Ok(url)
}

fn set_credentials(url: &mut Url, user: &str, password: Option<&str>) {
    // These fail for URLs without a host only, which have no place for them.
    let _ = url.set_username(user);
    let _ = url.set_password(password);
}

/// The URL for people and records: credentials and query may be secrets.
pub(crate) fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    set_credentials(&mut shown, "", None);
    shown.set_fragment(None);
    if shown.query().is_some() {
        shown.set_query(Some("…"));
    }
    clean(&shown.as_str().replace("%E2%80%A6", "…"))
}
