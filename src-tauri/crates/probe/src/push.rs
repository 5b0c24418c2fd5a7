//! `check = "push"`: the service reports in by itself; silence is the failure.

use std::time::Duration;

use health::{Observation, Outcome, Status, Thresholds};

use crate::field::{Field, FieldError, FieldType, Form, Values, duration, token};
use crate::text::clean;
use crate::{Checking, Context, Listening, Probe, Report};

pub(crate) const LABEL: &str = "Push (reports in)";
pub(crate) const HELP: &str = "The service reports in by itself, with curl: cron jobs, backups, scripts. Silence is a failure.";
pub(crate) const EXAMPLE: &str = r#"token = "keyring:backup-token"
late_after = "26h""#;
/// How long a job takes is for the job to judge.
pub(crate) const THRESHOLDS: Thresholds = Thresholds { degraded_above: None, ..Thresholds::OTHER };

pub(crate) const FIELDS: &[Field] = &[
    Field::required(
        "token",
        "Token",
        "What the service reports under; whoever knows it can report.",
        FieldType::Token,
    ),
    Field::required(
        "late_after",
        "Late after",
        "No report for this long is a failure: the usual time between two, and some patience.",
        FieldType::Duration,
    ),
];

struct Push {
    token: String,
    late_after: Duration,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    Ok(Box::new(Push {
        token: form.required("token", token)?.to_owned(),
        late_after: form.required("late_after", duration)?,
    }))
}

impl Push {
    /// Judges the last report.
    ///
    /// 1. Where nobody could have reported, nothing is known.
    /// 2. Silence counts from the last report or, if that is later, from when
    ///    reports could come: the start of the app, the end of a sleep or pause.
    /// 3. A silence longer than `late_after` is a failure.
    /// 4. A report older than that says nothing any more: others may have been
    ///    missed in a sleep.
    /// 5. Else the report says how the service is; before the first one,
    ///    nothing is known.
    fn judge(&self, context: &Context) -> Outcome {
        let listening_for = match &context.listening {
            Listening::For(time) => *time,
            Listening::Nowhere => {
                let reason = "it reports to the running app, and cannot be asked";
                return Outcome::Unknown(reason.to_owned());
            }
            Listening::Failed(reason) => return Outcome::Unknown(reason.clone()),
        };
        let since_report = context.report.as_ref().map(|received| received.ago);
        let silence = since_report.map_or(listening_for, |ago| ago.min(listening_for));
        let limit = span(self.late_after);
        match &context.report {
            Some(received) if silence > self.late_after => Outcome::Unhealthy(format!(
                "no report for {}, expected within {limit}",
                span(received.ago)
            )),
            None if silence > self.late_after => Outcome::Unhealthy(format!(
                "no report yet, expected within {limit}: is it sent to the right address and token?"
            )),
            Some(received) if received.ago > self.late_after => Outcome::Unknown(format!(
                "no report for {}, and nobody could hear one all that time",
                span(received.ago)
            )),
            Some(received) => said(&received.report),
            None => Outcome::Unknown("no report yet".to_owned()),
        }
    }
}

fn said(report: &Report) -> Outcome {
    let message = |default: &str| match clean(&report.message) {
        message if message.is_empty() => default.to_owned(),
        message => message,
    };
    match report.status {
        Status::Healthy => Outcome::Healthy(message("reported in")),
        Status::Degraded => Outcome::Degraded(message("reported in as degraded")),
        Status::Unhealthy => Outcome::Unhealthy(message("reported in as down")),
    }
}

/// Whole units, two at most: `1 h 5 min`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, 0) => format!("{m} min"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, 0, _) => format!("{h} h"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, 0, ..) => format!("{d} d"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}

impl Probe for Push {
    fn check<'a>(&'a self, _: Duration, context: &'a Context) -> Checking<'a> {
        let mut seen = Observation::of(self.judge(context));
        // A report is looked at again and again; its time counts once.
        if let Some(received) = context.report.as_ref().filter(|received| received.is_new) {
            seen.response_time = received.report.latency;
            seen.measurements.extend(received.report.measurements.iter().cloned());
        }
        if let Some(received) = &context.report {
            seen.metadata.insert("last_report".to_owned(), format!("{} ago", span(received.ago)));
        }
        Box::pin(std::future::ready(seen))
    }

    fn target(&self) -> String {
        format!("reports within {}", span(self.late_after))
    }

    fn host(&self) -> &'static str {
        "localhost"
    }

    fn token(&self) -> Option<&str> {
        Some(&self.token)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Received;

    const MINUTE: Duration = Duration::from_secs(60);

    fn push() -> Push {
        Push { token: "0123456789abcdef".to_owned(), late_after: MINUTE }
    }

    fn report(status: Status, message: &str, ago: Duration) -> Received {
        let message = message.to_owned();
        let report = Report { status, message, latency: None, measurements: Vec::new() };
        Received { report, ago, is_new: false }
    }

    fn judged(report: Option<Received>, listening_for: Option<Duration>) -> Outcome {
        let listening = listening_for.map_or(Listening::Nowhere, Listening::For);
        push().judge(&Context { report, listening, ..Context::default() })
    }

    #[test]
    fn a_report_says_how_it_is() {
        let hour = Some(MINUTE * 60);
        for (status, message, expected) in [
            (Status::Healthy, "", Outcome::Healthy("reported in".to_owned())),
            (Status::Healthy, "3 files\n", Outcome::Healthy("3 files".to_owned())),
            (Status::Degraded, "slow", Outcome::Degraded("slow".to_owned())),
            (Status::Unhealthy, "", Outcome::Unhealthy("reported in as down".to_owned())),
        ] {
            assert_eq!(judged(Some(report(status, message, MINUTE)), hour), expected);
        }
    }

    #[test]
    fn silence_is_a_failure_once_it_could_have_been_broken() {
        let old = || Some(report(Status::Healthy, "", MINUTE * 90));
        let late = "no report for 1 h 30 min, expected within 1 min".to_owned();
        assert_eq!(judged(old(), Some(MINUTE * 100)), Outcome::Unhealthy(late));
        assert!(matches!(judged(old(), Some(MINUTE)), Outcome::Unknown(_)));
        assert_eq!(judged(None, Some(MINUTE)), Outcome::Unknown("no report yet".to_owned()));
        let Outcome::Unhealthy(never) = judged(None, Some(MINUTE * 2)) else { panic!("late") };
        assert!(never.starts_with("no report yet, expected within 1 min"), "{never}");
        assert!(matches!(judged(None, None), Outcome::Unknown(_)));
    }

    #[test]
    fn the_token_is_long_enough_and_fits_into_a_url() {
        for (token, message) in [
            ("short", "the token has 5 characters, which is too few"),
            ("0123456789abcdef/", "the token has characters that a URL cannot hold"),
        ] {
            let values = json!({"token": token, "late_after": "1m"});
            let mistakes = probe(values.as_object().expect("a table")).err().expect("a mistake");
            assert_eq!(mistakes[0].message, message);
        }
    }
}
