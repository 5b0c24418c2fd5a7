//! What records say, in a form in which the same is written the same.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use hickory_proto::rr::{RData, RecordType};

use super::question::{name, plain};
use crate::FieldError;
use crate::field::mistake;
use crate::text::clean;

/// What a record says: `192.0.2.1`, `10 mail.example.test`; nothing of records
/// that are never asked for.
pub(super) fn value(data: &RData) -> Option<String> {
    Some(match data {
        RData::A(address) => address.0.to_string(),
        RData::AAAA(address) => address.0.to_string(),
        RData::CNAME(name) => plain(&name.0),
        RData::NS(name) => plain(&name.0),
        RData::PTR(name) => plain(&name.0),
        RData::MX(mx) => format!("{} {}", mx.preference, plain(&mx.exchange)),
        RData::SRV(srv) => {
            format!("{} {} {} {}", srv.priority, srv.weight, srv.port, plain(&srv.target))
        }
        RData::TXT(txt) => String::from_utf8_lossy(&txt.txt_data.concat()).into_owned(),
        RData::CAA(caa) => {
            let value = String::from_utf8_lossy(&caa.value);
            format!("{} {} \"{value}\"", caa.flags(), caa.tag.to_ascii_lowercase())
        }
        _ => return None,
    })
}

/// Reads a value that is expected.
pub(super) fn expected(text: &str, record: RecordType) -> Result<String, FieldError> {
    let words: Vec<_> = text.split_whitespace().collect();
    let malformed = |help: &str| {
        let shown = clean(text);
        mistake(format!("`{shown}` is not what {record} records hold"), format!("write {help}"))
    };
    let a_name =
        |text: &str, help: &str| name(text).map(|name| plain(&name)).map_err(|_| malformed(help));
    match (record, words.as_slice()) {
        (RecordType::TXT, _) => Ok(text.to_owned()),
        (RecordType::A, [address]) => Ipv4Addr::from_str(address)
            .map(|address| address.to_string())
            .map_err(|_| malformed(ADDRESS)),
        (RecordType::AAAA, [address]) => Ipv6Addr::from_str(address)
            .map(|address| address.to_string())
            .map_err(|_| malformed(ADDRESS_V6)),
        (RecordType::CNAME | RecordType::NS | RecordType::PTR, [target]) => a_name(target, NAME),
        (RecordType::MX, [preference, exchange]) => {
            let preference: u16 = preference.parse().map_err(|_| malformed(MX))?;
            Ok(format!("{preference} {}", a_name(exchange, MX)?))
        }
        (RecordType::SRV, [numbers @ .., target]) if numbers.len() == 3 => {
            let numbers: Vec<_> = numbers.iter().map(|number| number.parse::<u16>()).collect();
            let [Ok(priority), Ok(weight), Ok(port)] = numbers.as_slice() else {
                return Err(malformed(SRV));
            };
            Ok(format!("{priority} {weight} {port} {}", a_name(target, SRV)?))
        }
        (RecordType::CAA, [flags, tag, value @ ..]) if !value.is_empty() => {
            let flags: u8 = flags.parse().map_err(|_| malformed(CAA))?;
            let value = value.join(" ");
            let value = value.trim_matches('"');
            Ok(format!("{flags} {} \"{value}\"", tag.to_ascii_lowercase()))
        }
        (RecordType::A, _) => Err(malformed(ADDRESS)),
        (RecordType::AAAA, _) => Err(malformed(ADDRESS_V6)),
        (RecordType::MX, _) => Err(malformed(MX)),
        (RecordType::SRV, _) => Err(malformed(SRV)),
        (RecordType::CAA, _) => Err(malformed(CAA)),
        _ => Err(malformed(NAME)),
    }
}

const ADDRESS: &str = "an IPv4 address: \"192.0.2.1\"";
const ADDRESS_V6: &str = "an IPv6 address: \"2001:db8::1\"";
const NAME: &str = "a name: \"www.example.com\"";
const MX: &str = "preference and name: \"10 mail.example.com\"";
const SRV: &str = "priority, weight, port and name: \"10 60 5060 sip.example.com\"";
const CAA: &str = "flags, tag and value: \"0 issue ca.example.com\"";

#[cfg(test)]
mod tests {
    use hickory_proto::rr::Name;
    use hickory_proto::rr::rdata::{AAAA, CAA as Caa, MX as Mx, SRV as Srv, TXT};

    use super::*;

    fn target() -> Name {
        Name::from_ascii("Mail.Example.test.").expect("valid")
    }

    #[test]
    fn what_is_expected_has_the_form_of_what_is_answered() {
        let caa = Caa::new_issue(true, Some(target()), Vec::new());
        for (record, data, texts) in [
            (
                RecordType::AAAA,
                RData::AAAA(AAAA("2001:db8::10".parse().expect("valid"))),
                ["2001:db8::10", "2001:0DB8:0:0:0:0:0:10"],
            ),
            (
                RecordType::MX,
                RData::MX(Mx::new(10, target())),
                ["10 mail.example.test", "10  MAIL.example.test."],
            ),
            (
                RecordType::SRV,
                RData::SRV(Srv::new(0, 5, 5060, target())),
                ["0 5 5060 mail.example.test", "0 05 5060 mail.EXAMPLE.test."],
            ),
            (
                RecordType::TXT,
                RData::TXT(TXT::new(vec!["v=spf1 ".to_owned(), "mx -all".to_owned()])),
                ["v=spf1 mx -all", "v=spf1 mx -all"],
            ),
            (
                RecordType::CAA,
                RData::CAA(caa),
                ["128 issue \"Mail.Example.test.\"", "128 ISSUE Mail.Example.test."],
            ),
        ] {
            for text in texts {
                assert_eq!(expected(text, record).ok(), value(&data), "{text}");
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (record, text, help) in [
            (RecordType::A, "::1", ADDRESS),
            (RecordType::A, "192.0.2.1 192.0.2.2", ADDRESS),
            (RecordType::AAAA, "192.0.2.1", ADDRESS_V6),
            (RecordType::CNAME, "two words", NAME),
            (RecordType::NS, "a..b", NAME),
            (RecordType::MX, "mail.example.test", MX),
            (RecordType::MX, "ten mail.example.test", MX),
            (RecordType::SRV, "0 5 sip.example.test", SRV),
            (RecordType::SRV, "0 5 70000 sip.example.test", SRV),
            (RecordType::CAA, "0 issue", CAA),
            (RecordType::CAA, "256 issue x", CAA),
        ] {
            let found = expected(text, record).expect_err(text);
            assert_eq!(found.message, format!("`{text}` is not what {record} records hold"));
            assert_eq!(found.help, format!("write {help}"));
        }
    }
}
