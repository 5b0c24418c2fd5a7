//! What an answer is worth.

use std::collections::BTreeSet;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::question::Question;
use super::value::{expected, value};
use crate::failure::Failure;
use crate::field::{Form, Parsed, Step, list, mistake, text, whole};
use crate::text::clean;
use crate::trace::Trace;

/// How many values are told.
const SHOWN: usize = 5;
/// How many aliases are followed.
const LONGEST_CHAIN: usize = 16;
/// Extended DNS errors (RFC 8914, section 2).
const EXTENDED_ERROR: u16 = 15;

/// What the answers must be.
#[derive(Debug)]
pub(super) struct Expected {
    values: Vec<String>,
    rule: Rule,
    min_answers: usize,
}

/// How expected values and answers are compared.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Each expected one is among the answers.
    All,
    /// One of them is.
    Any,
    /// The answers are those and no others.
    Exact,
}

impl Expected {
    /// Reads `expect`, `match` and `min_answers`.
    pub(super) fn read(form: &Form<'_>, record: RecordType) -> Parsed<Self> {
        let mut mistakes = Vec::new();
        let mut values = Vec::new();
        for (index, text) in form.or("expect", Vec::new(), list)?.iter().enumerate() {
            match expected(text, record) {
                Ok(value) => values.push(value),
                Err(found) => mistakes
                    .push(found.within(Step::Index(index)).within(Step::Key("expect".to_owned()))),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let rule = match form.or("match", "all", text)? {
            "any" => Rule::Any,
            "exact" => Rule::Exact,
            _ => Rule::All,
        };
        if values.is_empty() && !matches!(rule, Rule::All) {
            let mistake = mistake("there is nothing to compare with", "name values in `expect`");
            return Err(vec![mistake.within(Step::Key("match".to_owned()))]);
        }
        Ok(Self { values, rule, min_answers: form.or("min_answers", 1, whole)? })
    }

    /// Judges what came, and says it.
    ///
    /// 1. An error of the resolver is a failure.
    /// 2. So are too few answers, or none.
    /// 3. So is an answer that is not validated, where it must be.
    /// 4. So are other values than expected.
    pub(super) fn judge(
        &self,
        question: &Question,
        message: &Message,
        trace: &Trace,
    ) -> Result<String, Failure> {
        let code = message.metadata.response_code;
        if code != ResponseCode::NoError {
            return Err(Failure::Unexpected(refusal(question, message, &trace.endpoint())));
        }
        let answers = Answers::of(question, message);
        trace.saw_body(listed(message).as_bytes());
        if let Some(ttl) = answers.ttl {
            trace.note("ttl", ttl);
            trace.note("answers", some_of(&answers.values));
        }
        let judged = self
            .judge_count(question, message, &answers)
            .and_then(|()| judge_validation(question, message))
            .and_then(|()| self.judge_values(&answers.values));
        judged.map_err(|unexpected| {
            Failure::Unexpected(format!("{unexpected} ({})", trace.endpoint()))
        })?;
        if message.metadata.authentic_data {
            trace.note("dnssec", "validated");
        }
        let validated = if question.dnssec { ", validated" } else { "" };
        Ok(format!("{}{validated}", some_of(&answers.values)))
    }

    fn judge_count(
        &self,
        question: &Question,
        message: &Message,
        answers: &Answers,
    ) -> Result<(), String> {
        let (name, record, least) = (question.shown(), question.record, self.min_answers);
        match answers.values.len() {
            0 if is_referral(message) => Err(format!(
                "the resolver knows nothing of `{name}` but other name servers: name one that \
                 looks names up for others"
            )),
            0 => Err(format!("`{name}` has no {record} record")),
            count if count < least => {
                Err(format!("expected at least {least} {record} records, got {count}"))
            }
            _ => Ok(()),
        }
    }

    fn judge_values(&self, answers: &BTreeSet<String>) -> Result<(), String> {
        let is_answer = |value: &&String| answers.contains(*value);
        let fits = match self.rule {
            Rule::All => self.values.iter().all(|value| is_answer(&value)),
            Rule::Any => self.values.iter().any(|value| is_answer(&value)),
            Rule::Exact => answers.iter().eq(self.values.iter().collect::<BTreeSet<_>>()),
        };
        if fits {
            return Ok(());
        }
        let got = some_of(answers);
        Err(match self.rule {
            Rule::All => {
                let missing = self.values.iter().filter(|value| !is_answer(value));
                format!("expected {}, got {got}", some_of(missing))
            }
            Rule::Any if self.values.len() > 1 => {
                format!("expected one of {}, got {got}", some_of(&self.values))
            }
            Rule::Any => format!("expected {}, got {got}", some_of(&self.values)),
            Rule::Exact => format!("expected exactly {}, got {got}", some_of(&self.values)),
        })
    }
}

fn judge_validation(question: &Question, message: &Message) -> Result<(), String> {
    if !question.dnssec || message.metadata.authentic_data {
        return Ok(());
    }
    Err(format!(
        "the answer for `{}` is not validated: its zone is not signed, or the resolver does not \
         validate",
        question.shown()
    ))
}

/// The records of the wanted type that the question's name, or what it is an
/// alias of, has.
#[derive(Debug)]
struct Answers {
    values: BTreeSet<String>,
    /// The lowest of those that led there, in seconds.
    ttl: Option<u32>,
}

impl Answers {
    fn of(question: &Question, message: &Message) -> Self {
        let mut owner = question.name.clone();
        let mut ttls = Vec::new();
        for _ in 0..LONGEST_CHAIN {
            let wanted = of_name(message, &owner).filter(|r| r.record_type() == question.record);
            let found: Vec<_> = wanted.filter_map(|r| Some((value(&r.data)?, r.ttl))).collect();
            if !found.is_empty() {
                ttls.extend(found.iter().map(|(_, ttl)| *ttl));
                let values = found.into_iter().map(|(value, _)| value).collect();
                return Self { values, ttl: ttls.into_iter().min() };
            }
            let alias = of_name(message, &owner).find_map(|r| match &r.data {
                RData::CNAME(target) => Some((target.0.clone(), r.ttl)),
                _ => None,
            });
            let Some((target, ttl)) = alias else { break };
            ttls.push(ttl);
            owner = target;
        }
        Self { values: BTreeSet::new(), ttl: None }
    }
}

/// All that came, for evidence.
fn listed(message: &Message) -> String {
    let records = message.answers.iter().chain(&message.authorities).take(SHOWN * 4);
    let lines: Vec<_> = records.map(ToString::to_string).collect();
    lines.join("\n")
}

fn of_name<'m>(message: &'m Message, owner: &'m Name) -> impl Iterator<Item = &'m Record> {
    message.answers.iter().filter(move |record| record.name == *owner)
}

/// Neither an answer nor an authority that there is none, but who might know
/// (RFC 1034, section 4.3.1).
fn is_referral(message: &Message) -> bool {
    let has = |record_type| message.authorities.iter().any(|r| r.record_type() == record_type);
    message.answers.is_empty()
        && !message.metadata.authoritative
        && has(RecordType::NS)
        && !has(RecordType::SOA)
}

fn refusal(question: &Question, message: &Message, endpoint: &str) -> String {
    let name = question.shown();
    let reason = extended_error(message).map(|error| format!(": {error}")).unwrap_or_default();
    let otherwise =
        |guess: &str| if reason.is_empty() { format!(": {guess}") } else { reason.clone() };
    match message.metadata.response_code {
        ResponseCode::NXDomain => {
            format!("`{name}` does not exist (NXDOMAIN from {endpoint}){reason}")
        }
        ResponseCode::ServFail => format!(
            "the resolver failed to look up `{name}` (SERVFAIL from {endpoint}){}",
            if question.dnssec { otherwise("its signatures may be wrong") } else { reason }
        ),
        ResponseCode::Refused => format!(
            "the resolver refuses to look up `{name}` (REFUSED from {endpoint}){}",
            otherwise("it serves other names or clients")
        ),
        ResponseCode::FormErr => {
            format!(
                "the resolver did not understand the question (FORMERR from {endpoint}){reason}"
            )
        }
        ResponseCode::NotImp => {
            format!("the resolver does not answer such questions (NOTIMP from {endpoint}){reason}")
        }
        code => {
            format!("the resolver answered with error {} ({endpoint}){reason}", u16::from(code))
        }
    }
}

/// Why, in the words of the resolver (RFC 8914, section 4).
fn extended_error(message: &Message) -> Option<String> {
    let edns = message.edns.as_ref()?;
    let EdnsOption::Unknown(_, data) = edns.option(EdnsCode::Unknown(EXTENDED_ERROR))? else {
        return None;
    };
    let (code, own_words) = data.split_first_chunk::<2>()?;
    let code = u16::from_be_bytes(*code);
    let own_words = clean(&String::from_utf8_lossy(own_words));
    let known = match code {
        3 => "stale answer",
        6 => "DNSSEC bogus",
        7 => "DNSSEC signature expired",
        8 => "DNSSEC signature not yet valid",
        9 => "DNSKEY missing",
        10 => "RRSIGs missing",
        12 => "NSEC missing",
        15 => "blocked",
        16 => "censored",
        17 => "filtered",
        18 => "prohibited",
        20 => "not authoritative",
        22 => "no reachable authority",
        23 => "network error",
        _ => "",
    };
    match (known, own_words.as_str()) {
        ("", "") => Some(format!("extended error {code}")),
        ("", own_words) => Some(own_words.to_owned()),
        (known, "") => Some(known.to_owned()),
        (known, own_words) => Some(format!("{known} ({own_words})")),
    }
}

/// The first few: `a, b, c, d, e and 3 more`.
fn some_of<'v>(values: impl IntoIterator<Item = &'v String>) -> String {
    let mut values = values.into_iter();
    let shown: Vec<_> = values.by_ref().take(SHOWN).map(|value| clean(value)).collect();
    match values.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
