//! `check = "group"`: other services taken together, without traffic of its own.

use std::time::Duration;

use health::{Measurement, Observation, Outcome, ServiceId, ServiceStatus, Thresholds};

use crate::field::{
    Field, FieldError, FieldType, Form, Section, Values, mistake_at, services, text, whole,
};
use crate::{Checking, Context, Probe};

pub(crate) const LABEL: &str = "Group";
pub(crate) const HELP: &str =
    "Takes other services together: the worst of them, all of them, or at least some of them.";
pub(crate) const EXAMPLE: &str = r#"members = ["web-1", "web-2", "web-3"]
rule = "at_least"
at_least = 2"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const RULES: &[&str] = &["worst", "all", "at_least"];
/// Names that a message has room for.
const NAMES_SHOWN: usize = 3;

pub(crate) const FIELDS: &[Field] = &[
    Field::required("members", "Members", "The services it is made of.", FieldType::Services),
    Field::optional(
        "rule",
        "Rule",
        "worst: as bad as the worst member. all: every member must be healthy. at_least: enough \
         members must be up.",
        FieldType::Choice { of: RULES },
    )
    .or("worst")
    .within(Section::Expect),
    Field::optional(
        "at_least",
        "At least",
        "How many members must be up, for the rule at_least.",
        FieldType::Integer { min: 1, max: 1000 },
    )
    .of("members")
    .within(Section::Expect),
];

/// What the members have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// As bad as the worst of them.
    Worst,
    /// Every one healthy.
    All,
    /// So many healthy or degraded.
    AtLeast(usize),
}

#[derive(Debug)]
struct Group {
    members: Vec<ServiceId>,
    rule: Rule,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let mut members = form.required("members", services)?;
    members.sort();
    members.dedup();
    if members.is_empty() {
        return Err(mistake_at(
            "members",
            "the group has no members",
            "name the services it is made of",
        ));
    }
    let at_least = form.optional("at_least", whole::<usize>)?;
    let rule = match (form.or("rule", RULES[0], text)?, at_least) {
        ("at_least", Some(needed)) if needed > members.len() => {
            let message = format!("{needed} of {} members are never up", members.len());
            return Err(mistake_at("at_least", message, format!("use at most {}", members.len())));
        }
        ("at_least", Some(needed)) => Rule::AtLeast(needed),
        ("at_least", None) => {
            return Err(mistake_at("at_least", "`at_least` is missing", "say how many must be up"));
        }
        (_, Some(_)) => {
            let help = "add `rule = \"at_least\"`, or leave it out";
            return Err(mistake_at("at_least", "the rule does not count members", help));
        }
        ("all", None) => Rule::All,
        (_, None) => Rule::Worst,
    };
    Ok(Box::new(Group { members, rule }))
}

/// How the members are, by name.
#[derive(Debug, Default)]
struct Tally<'c> {
    healthy: Vec<&'c str>,
    degraded: Vec<&'c str>,
    down: Vec<&'c str>,
    unknown: Vec<&'c str>,
    paused: Vec<&'c str>,
}

impl<'c> Tally<'c> {
    fn of(group: &'c Group, context: &'c Context) -> Self {
        let mut tally = Self::default();
        for id in &group.members {
            let (name, status) = match context.members.get(id) {
                Some((name, status)) => (name.as_str(), *status),
                None => (id.as_str(), ServiceStatus::Unknown),
            };
            let names = match status {
                ServiceStatus::Healthy => &mut tally.healthy,
                ServiceStatus::Degraded => &mut tally.degraded,
                ServiceStatus::Unhealthy => &mut tally.down,
                ServiceStatus::Unknown => &mut tally.unknown,
                ServiceStatus::Paused => &mut tally.paused,
            };
            names.push(name);
        }
        tally
    }

    fn up(&self) -> usize {
        self.healthy.len() + self.degraded.len()
    }

    /// Those that are watched.
    fn watched(&self) -> usize {
        self.up() + self.down.len() + self.unknown.len()
    }
}

impl Rule {
    /// Judges the members. Nobody is blamed for what is not known.
    ///
    /// 1. Paused members count neither way; if all are, nothing is known.
    /// 2. `worst`, `all`: a member that is down decides; then one that is
    ///    unknown leaves it open; then one that is degraded makes it degraded,
    ///    or for `all` unhealthy.
    /// 3. `at_least`: enough are up, or not even with the unknown and paused
    ///    ones; else it is open. Enough only with degraded ones is degraded.
    fn judge(self, tally: &Tally<'_>) -> Outcome {
        if tally.watched() == 0 {
            return Outcome::Unknown("all members are paused".to_owned());
        }
        match self {
            Self::AtLeast(needed) => at_least(needed, tally),
            Self::Worst | Self::All => every(self == Self::All, tally),
        }
    }
}

fn every(all_healthy: bool, tally: &Tally<'_>) -> Outcome {
    if !tally.down.is_empty() {
        Outcome::Unhealthy(format!(
            "{} of {} down: {}",
            tally.down.len(),
            tally.watched(),
            names(&tally.down)
        ))
    } else if !tally.unknown.is_empty() {
        Outcome::Unknown(format!("nothing is known of {}", names(&tally.unknown)))
    } else if tally.degraded.is_empty() {
        Outcome::Healthy(format!("all {} up", tally.up()))
    } else {
        let message = format!(
            "{} of {} degraded: {}",
            tally.degraded.len(),
            tally.watched(),
            names(&tally.degraded)
        );
        if all_healthy { Outcome::Unhealthy(message) } else { Outcome::Degraded(message) }
    }
}

fn at_least(needed: usize, tally: &Tally<'_>) -> Outcome {
    let total = tally.watched() + tally.paused.len();
    let seen = format!("{} of {total} up", tally.up());
    let possible = tally.up() + tally.unknown.len() + tally.paused.len();
    if possible < needed {
        Outcome::Unhealthy(format!("{seen}, {needed} needed, down: {}", names(&tally.down)))
    } else if tally.up() < needed {
        Outcome::Unknown(format!("{seen}, {needed} needed, nothing is known of the others"))
    } else if tally.healthy.len() < needed {
        Outcome::Degraded(format!("{seen}, degraded: {}", names(&tally.degraded)))
    } else {
        Outcome::Healthy(seen)
    }
}

fn names(names: &[&str]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Probe for Group {
    fn check<'a>(&'a self, _: Duration, context: &'a Context) -> Checking<'a> {
        let tally = Tally::of(self, context);
        let outcome = self.rule.judge(&tally);
        let up = Measurement::new("up", tally.up() as f64, "");
        let seen = Observation { measurements: vec![up], ..Observation::of(outcome) };
        Box::pin(std::future::ready(seen))
    }

    fn target(&self) -> String {
        let count = self.members.len();
        format!("{count} service{}", if count == 1 { "" } else { "s" })
    }

    fn host(&self) -> &'static str {
        "localhost"
    }

    fn members(&self) -> &[ServiceId] {
        &self.members
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One letter a member: up, degraded, down, unknown, paused.
    fn judged(rule: Rule, members: &str) -> Outcome {
        let ids: Vec<_> =
            (0..members.len()).map(|n| ServiceId::new(&format!("s{n}")).expect("an id")).collect();
        let status = |c| match c {
            'u' => ServiceStatus::Healthy,
            'g' => ServiceStatus::Degraded,
            'd' => ServiceStatus::Unhealthy,
            'p' => ServiceStatus::Paused,
            _ => ServiceStatus::Unknown,
        };
        let members = ids
            .iter()
            .zip(members.chars())
            .map(|(id, c)| (id.clone(), (id.to_string(), status(c))));
        let context = Context { members: members.collect(), ..Context::default() };
        let group = Group { members: ids, rule };
        rule.judge(&Tally::of(&group, &context))
    }

    #[test]
    fn as_bad_as_the_worst() {
        for (members, expected) in [
            ("uuu", Outcome::Healthy("all 3 up".to_owned())),
            ("ugu", Outcome::Degraded("1 of 3 degraded: s1".to_owned())),
            ("ugd", Outcome::Unhealthy("1 of 3 down: s2".to_owned())),
            ("dddd", Outcome::Unhealthy("4 of 4 down: s0, s1, s2 and 1 more".to_owned())),
            ("u?d", Outcome::Unhealthy("1 of 3 down: s2".to_owned())),
            ("u?g", Outcome::Unknown("nothing is known of s1".to_owned())),
            ("upu", Outcome::Healthy("all 2 up".to_owned())),
            ("pp", Outcome::Unknown("all members are paused".to_owned())),
        ] {
            assert_eq!(judged(Rule::Worst, members), expected, "{members}");
        }
    }

    #[test]
    fn all_of_them() {
        assert_eq!(judged(Rule::All, "uu"), Outcome::Healthy("all 2 up".to_owned()));
        let degraded = Outcome::Unhealthy("1 of 2 degraded: s1".to_owned());
        assert_eq!(judged(Rule::All, "ug"), degraded);
    }

    #[test]
    fn enough_of_them() {
        for (members, expected) in [
            ("uud", Outcome::Healthy("2 of 3 up".to_owned())),
            ("ugd", Outcome::Degraded("2 of 3 up, degraded: s1".to_owned())),
            ("udd", Outcome::Unhealthy("1 of 3 up, 2 needed, down: s1, s2".to_owned())),
            (
                "u?d",
                Outcome::Unknown("1 of 3 up, 2 needed, nothing is known of the others".to_owned()),
            ),
            (
                "upd",
                Outcome::Unknown("1 of 3 up, 2 needed, nothing is known of the others".to_owned()),
            ),
            ("?dd", Outcome::Unhealthy("0 of 3 up, 2 needed, down: s1, s2".to_owned())),
        ] {
            assert_eq!(judged(Rule::AtLeast(2), members), expected, "{members}");
        }
    }

    #[test]
    fn mistakes() {
        for (values, message) in [
            (json!({"members": []}), "the group has no members"),
            (json!({"members": ["a"], "rule": "at_least"}), "`at_least` is missing"),
            (
                json!({"members": ["a", "a"], "rule": "at_least", "at_least": 2}),
                "2 of 1 members are never up",
            ),
            (json!({"members": ["a"], "at_least": 1}), "the rule does not count members"),
        ] {
            let mistakes = probe(values.as_object().expect("a table")).err().expect("a mistake");
            assert_eq!(mistakes[0].message, message);
        }
    }
}
