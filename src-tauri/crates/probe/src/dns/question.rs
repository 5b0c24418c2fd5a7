//! What is asked.

use std::net::IpAddr;
use std::str::FromStr;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};

use crate::field::{Form, Parsed, Step, boolean, line, mistake, text};
use crate::text::clean;

/// What an answer over UDP may take without being fragmented anywhere
/// (dnsflagday.net/2020).
const MAX_DATAGRAM: u16 = 1232;

/// A name, and what of it is wanted.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) record: RecordType,
    /// Whether the answer must be validated.
    pub(super) dnssec: bool,
}

impl Question {
    /// Reads `lookup`, `record` and `dnssec`.
    pub(super) fn read(form: &Form<'_>) -> Parsed<Self> {
        let record = form.or("record", "A", text)?;
        // The choices are all known.
        let record = RecordType::from_str(record).unwrap_or(RecordType::A);
        let asked = form.required("lookup", line)?;
        let name = asked_for(asked, record).map_err(|(message, help)| {
            vec![mistake(message, help).within(Step::Key("lookup".to_owned()))]
        })?;
        Ok(Self { name, record, dnssec: form.or("dnssec", false, boolean)? })
    }

    /// The message with that id.
    pub(super) fn message(&self, id: u16) -> Result<Vec<u8>, ProtoError> {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.metadata.authentic_data = self.dnssec;
        message.add_query(Query::query(self.name.clone(), self.record));
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_DATAGRAM).set_version(0).set_dnssec_ok(self.dnssec);
        message.set_edns(edns);
        message.to_vec()
    }

    /// Whether `message` answers it: its own words come back, in any case. A
    /// server that understood nothing may leave them out.
    pub(super) fn is_answered_by(&self, message: &Message) -> bool {
        let refused = u16::from(message.metadata.response_code) != 0;
        message.metadata.message_type == MessageType::Response
            && match message.queries.as_slice() {
                [] => refused,
                [query] => query.name() == &self.name && query.query_type() == self.record,
                _ => false,
            }
    }

    /// The name for people.
    pub(super) fn shown(&self) -> String {
        clean(&plain(&self.name))
    }
}

/// The name in its normal form: lower case, without the dot at the end.
pub(super) fn plain(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    match text.strip_suffix('.') {
        None | Some("") => text,
        Some(text) => text.to_owned(),
    }
}

/// Reads a name; international ones get their ASCII form.
pub(super) fn name(text: &str) -> Result<Name, String> {
    let name = if text.is_ascii() { Name::from_ascii(text) } else { Name::from_utf8(text) };
    let mut name = name.map_err(|error| {
        format!("`{}` is not a name: {}", clean(text), clean(&error.to_string()))
    })?;
    name.set_fqdn(true);
    Ok(name)
}

/// What is asked for: of an address the name under which RFC 1035, section
/// 3.5, and RFC 3596, section 2.5, file it.
fn asked_for(text: &str, record: RecordType) -> Result<Name, (String, &'static str)> {
    match text.parse::<IpAddr>() {
        Ok(address) if record == RecordType::PTR => Ok(Name::from(address)),
        Ok(address) => Err((
            format!("`{address}` is an address"),
            "write a name, or ask for its name with record = \"PTR\"",
        )),
        Err(_) => name(text).map_err(|message| (message, "write a name: www.example.com")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_turned_round() {
        for (text, name) in [
            ("192.0.2.10", "10.2.0.192.in-addr.arpa"),
            (
                "2001:db8::1",
                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            ),
            ("10.2.0.192.in-addr.arpa", "10.2.0.192.in-addr.arpa"),
        ] {
            let asked = asked_for(text, RecordType::PTR).expect("valid");
            assert_eq!(plain(&asked), name);
        }
    }

    #[test]
    fn names_have_a_normal_form() {
        for (text, normal) in [
            ("WWW.Example.test.", "www.example.test"),
            ("_sip._tcp.example.test", "_sip._tcp.example.test"),
            ("bücher.example", "xn--bcher-kva.example"),
            (".", "."),
        ] {
            assert_eq!(plain(&name(text).expect("valid")), normal);
        }
        for text in ["a..b", &"x".repeat(64), &"x.".repeat(200)] {
            assert!(name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_message_says_whether_to_validate() {
        let question = |dnssec| Question {
            name: name("example.test").expect("valid"),
            record: RecordType::A,
            dnssec,
        };
        for dnssec in [false, true] {
            let message = question(dnssec).message(7).expect("short");
            let message = Message::from_vec(&message).expect("valid");
            assert_eq!(message.metadata.authentic_data, dnssec);
            let edns = message.edns.as_ref().expect("EDNS");
            assert_eq!(edns.flags().dnssec_ok, dnssec);
            assert_eq!(edns.max_payload(), MAX_DATAGRAM);
            assert!(message.metadata.recursion_desired);
            assert!(!question(dnssec).is_answered_by(&message), "its own question");
        }
    }
}
