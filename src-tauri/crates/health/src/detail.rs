//! What a check saw beside its answer: where the time went, figures worth a
//! chart, and what a failure looked like.

use serde::{Deserialize, Serialize};

/// Where the time of a check went, in milliseconds. What a kind of check has
/// not got, or did not come to, is absent. Together they are the whole check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Phases {
    /// Looking the host's addresses up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub dns: Option<f64>,
    /// Until the connection was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub connect: Option<f64>,
    /// The TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub tls: Option<f64>,
    /// Sending the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub send: Option<f64>,
    /// From there to the first byte of the answer: the service's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub wait: Option<f64>,
    /// From the first byte to the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub receive: Option<f64>,
}

impl Phases {
    /// Their sum in milliseconds.
    pub fn total(&self) -> f64 {
        [self.dns, self.connect, self.tls, self.send, self.wait, self.receive]
            .into_iter()
            .flatten()
            .sum()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A number that a check saw and that is worth a chart: free space, packet
/// loss, a plugin's performance data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Measurement {
    /// What was measured, the same every time: `/var`, `loss`.
    pub name: String,
    /// How much of it.
    pub value: f64,
    /// Of what: `%`, `B`, `ms`, `s`; `c` is a counter; empty for a plain number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[ts(as = "Option<String>", optional)]
    pub unit: String,
    /// From where on it is degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub degraded_at: Option<f64>,
    /// From where on it is unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub unhealthy_at: Option<f64>,
}

impl Measurement {
    /// A number without limits.
    pub fn new(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self {
            name: name.into(),
            value,
            unit: unit.to_owned(),
            degraded_at: None,
            unhealthy_at: None,
        }
    }
}

/// What a failed check saw, as text and bounded: enough to tell why without
/// asking again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Evidence {
    /// The first 2 KiB that the server sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub body: Option<String>,
    /// Response headers as they came; the values of secret ones are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<(String, String)>>", optional)]
    pub headers: Vec<(String, String)>,
    /// The certificates the server showed, its own first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Certificate>>", optional)]
    pub certificates: Vec<Certificate>,
    /// The addresses that the host's name stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<String>>", optional)]
    pub addresses: Vec<String>,
}

impl Evidence {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every text in it, to be changed in place.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let headers = self.headers.iter_mut().flat_map(|(name, value)| [name, value]);
        let certificates =
            self.certificates.iter_mut().flat_map(|c| [&mut c.subject, &mut c.issuer]);
        self.body.iter_mut().chain(headers).chain(certificates).chain(&mut self.addresses)
    }
}

/// One certificate of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Certificate {
    /// Whose it is: `CN=api.example.com`.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Valid from, in seconds since the Unix epoch.
    #[ts(type = "number")]
    pub not_before: i64,
    /// Valid until, in seconds since the Unix epoch.
    #[ts(type = "number")]
    pub not_after: i64,
}
