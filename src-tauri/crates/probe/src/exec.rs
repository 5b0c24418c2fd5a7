//! `check = "exec"`: a program of one's own decides, as Nagios plugins do.
//!
//! What its exit code, text and performance data mean is in the Nagios Plugin
//! Development Guidelines.

#[cfg_attr(windows, path = "exec/os_windows.rs")]
#[cfg_attr(unix, path = "exec/os_unix.rs")]
mod os;
mod perfdata;
mod run;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use health::{Evidence, Measurement, Metadata, Observation, Outcome, Thresholds};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

use crate::aside::Aside;
use crate::field::{
    Field, FieldError, FieldType, Form, Section, Step, Values, file, host_name, list, mistake,
    variables,
};
use crate::text::{clean, excerpt};
use crate::trace::Seconds;
use crate::{Checking, Context, Probe};
use os::Running;
use run::{Ended, Output};

pub(crate) const LABEL: &str = "Command (Nagios plugin)";
pub(crate) const HELP: &str = "Runs a program and takes its exit code: 0 is healthy, 1 degraded, \
                               2 unhealthy, as Nagios plugins have it.";
pub(crate) const EXAMPLE: &str =
    r#"command = ["/usr/lib/nagios/plugins/check_load", "-w", "8,6,4", "-c", "16,12,8"]"#;
/// Plugins give up by themselves after ten seconds, and say why.
pub(crate) const THRESHOLDS: Thresholds =
    Thresholds { degraded_above: None, unhealthy_above: None, timeout: Duration::from_secs(15) };

pub(crate) const FIELDS: &[Field] = &[
    Field::required(
        "command",
        "Command",
        "The program and its arguments, each a text of its own; no shell is between.",
        FieldType::List,
    ),
    Field::optional(
        "host",
        "Host",
        "The machine the program asks about: while it cannot be reached from here, failures do \
         not count. This machine if empty.",
        FieldType::Host,
    ),
    Field::optional(
        "directory",
        "Folder",
        "Where the program runs. The folder that Pilotlight runs in if empty.",
        FieldType::File,
    )
    .within(Section::Advanced),
    Field::optional(
        "environment",
        "Environment",
        "Variables for the program, beside PATH, HOME, USER, LOGNAME, LANG, LC_ALL, LC_CTYPE, TZ \
         and TMPDIR (on Windows, those of the system); it gets no others.",
        FieldType::Variables,
    )
    .within(Section::Advanced),
];

/// What a program may know of Pilotlight's environment: enough to find others
/// and its files, and no secrets.
const INHERITED: &[&str] = if cfg!(windows) {
    &[
        "APPDATA",
        "COMSPEC",
        "LOCALAPPDATA",
        "PATH",
        "PATHEXT",
        "PROGRAMDATA",
        "PROGRAMFILES",
        "PROGRAMFILES(X86)",
        "PSMODULEPATH",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "USERNAME",
        "USERPROFILE",
        "WINDIR",
    ]
} else {
    &["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"]
};

#[derive(Debug)]
struct Exec {
    program: PathBuf,
    arguments: Vec<String>,
    directory: Option<PathBuf>,
    environment: Vec<(String, String)>,
    host: Option<String>,
    starting: Aside<()>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let directory = form.optional("directory", file)?;
    let environment = form.or("environment", Vec::new(), variables)?;
    refuse_nul("environment", environment.iter().map(|(_, value)| value))?;
    let mut arguments = form.required("command", list)?;
    refuse_nul("command", &arguments)?;
    let program = program(&arguments.remove(0), directory.as_deref())
        .map_err(|found| vec![found.within(Step::Key("command".to_owned()))])?;
    let host = form.optional("host", host_name)?;
    let starting = Aside::default();
    Ok(Box::new(Exec { program, arguments, directory, environment, host, starting }))
}

/// No system can hand such a text over.
fn refuse_nul<'t>(
    key: &str,
    texts: impl IntoIterator<Item = &'t String>,
) -> Result<(), Vec<FieldError>> {
    if texts.into_iter().any(|text| text.contains('\0')) {
        let found = mistake("a text has a NUL character", "leave it out");
        return Err(vec![found.within(Step::Key(key.to_owned()))]);
    }
    Ok(())
}

/// The name of a program, to be found in PATH, or its full path.
fn program(text: &str, directory: Option<&Path>) -> Result<PathBuf, FieldError> {
    if text.is_empty() {
        return Err(mistake("the program has no name", "write its name or full path first"));
    }
    if is_name(Path::new(text)) {
        return Ok(PathBuf::from(text));
    }
    let whole = file(&Value::from(text));
    match directory {
        Some(directory) if whole.is_err() => Ok(directory.join(text)),
        _ => whole.map_err(|_| {
            let message = format!("`{}` is not a full path", clean(text));
            mistake(message, "write it from the root on, or set `directory`")
        }),
    }
}

fn is_name(program: &Path) -> bool {
    program.parent().is_some_and(|parent| parent == Path::new(""))
}

impl Exec {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    /// Runs the program to its end, or says why it cannot.
    async fn run(&self, output: &mut Output) -> Result<Ended, String> {
        let (command, program) = (self.command(), self.program.clone());
        let directory = self.directory.clone();
        let starting = self.starting.run(move |()| {
            let begun = Instant::now();
            match Running::start(command) {
                Ok(running) => Ok((running, begun)),
                Err(error) => Err(cannot_run(&program, directory.as_deref(), &error)),
            }
        });
        let (running, begun) = starting.await??;
        let ended = run::to_the_end(running, begun, output).await;
        ended.map_err(|error| format!("the program was lost: {}", clean(&error.to_string())))
    }

    fn name(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        clean(&name.to_string_lossy())
    }
}

/// Why a program does not start, and what to do.
fn cannot_run(program: &Path, directory: Option<&Path>, error: &io::Error) -> String {
    let shown = clean(&program.to_string_lossy());
    if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
        let directory = clean(&directory.to_string_lossy());
        return format!("the folder `{directory}` does not exist: check `directory`");
    }
    match error.kind() {
        io::ErrorKind::NotFound if is_name(program) && shown.contains(char::is_whitespace) => {
            format!("no program is called `{shown}`: write each argument as a text of its own")
        }
        io::ErrorKind::NotFound if is_name(program) => {
            format!("no program `{shown}` in PATH: write its full path in `command`")
        }
        io::ErrorKind::NotFound if program.exists() => {
            format!("`{shown}` needs a program that does not exist: see its first line")
        }
        io::ErrorKind::NotFound => format!("program `{shown}` does not exist: check `command`"),
        io::ErrorKind::PermissionDenied if program.is_dir() => {
            format!("`{shown}` is a folder, not a program: check `command`")
        }
        io::ErrorKind::PermissionDenied => {
            format!("not allowed to run `{shown}`: make it executable for this user")
        }
        _ if is_no_program(error) => format!(
            "`{shown}` is not a program for this system: a script names its interpreter in the \
             first line, #!/bin/sh"
        ),
        _ => format!("cannot run `{shown}`: {}", clean(&error.to_string())),
    }
}

/// `ENOEXEC`, or `ERROR_BAD_EXE_FORMAT`.
fn is_no_program(error: &io::Error) -> bool {
    error.raw_os_error() == Some(if cfg!(windows) { 193 } else { 8 })
}

/// What its end means:
/// 1. Exit code 0 is healthy, 1 degraded, 2 unhealthy.
/// 2. 3, and any other, is unhealthy, and the message says so.
/// 3. So is a program that was ended by a signal; it gave no answer.
fn judge(ended: &Ended, said: &str) -> Outcome {
    let code = ended.status.code();
    let with = |what: String| if said.is_empty() { what } else { format!("{what}: {said}") };
    let or_silent = |code: i32| match said {
        "" => format!("exit code {code}, no output"),
        said => said.to_owned(),
    };
    match code {
        Some(0) => Outcome::Healthy(or_silent(0)),
        Some(1) => Outcome::Degraded(or_silent(1)),
        Some(2) => Outcome::Unhealthy(or_silent(2)),
        Some(3) if said.to_lowercase().contains("unknown") => Outcome::Unhealthy(said.to_owned()),
        Some(3) => Outcome::Unhealthy(with("unknown (exit code 3)".to_owned())),
        Some(code) => Outcome::Unhealthy(with(format!("exit code {code}"))),
        // "signal: 9 (SIGKILL)"
        None => {
            let status = ended.status.to_string().replace("signal: ", "signal ");
            Outcome::Unhealthy(with(format!("ended by {status}")))
        }
    }
}

/// The first line with something in it of the text, or of standard error.
fn said(text: &str, errors: &str) -> String {
    let mut lines = text.lines().chain(errors.lines()).map(str::trim);
    clean(lines.find(|line| !line.is_empty()).unwrap_or_default())
}

fn metadata(figures: &[Measurement]) -> Metadata {
    let text = |figure: &Measurement| match figure.unit.as_str() {
        "" | "c" => figure.value.to_string(),
        unit => format!("{} {unit}", figure.value),
    };
    figures.iter().map(|figure| (format!("perf_{}", figure.name), text(figure))).collect()
}

/// What came of a run.
fn observed(ran: Result<Ended, String>, output: &Output) -> Observation {
    let (text, errors) = (output.text(), output.errors());
    let (text, data) = perfdata::split(&text);
    let said = said(&text, &errors);
    let measurements = perfdata::figures(&data);
    let (outcome, response_time) = match &ran {
        Ok(ended) => (judge(ended, &said), ended.status.code().map(|_| ended.took)),
        Err(reason) => (Outcome::Unhealthy(reason.clone()), None),
    };
    let body = matches!(outcome, Outcome::Unhealthy(_)).then(|| excerpt(&output.all()));
    Observation {
        response_time,
        metadata: metadata(&measurements),
        measurements,
        evidence: Evidence { body: body.filter(|body| !body.is_empty()), ..Evidence::default() },
        ..Observation::of(outcome)
    }
}

impl Probe for Exec {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(async move {
            let mut output = Output::default();
            let ran = tokio::time::timeout(timeout, self.run(&mut output)).await;
            let ran = ran.unwrap_or_else(|_elapsed| {
                Err(format!("timed out after {}, running {}", Seconds(timeout), self.name()))
            });
            observed(ran, &output)
        })
    }

    fn target(&self) -> String {
        // Arguments may be secret.
        match &self.host {
            Some(host) => format!("{} ({host})", self.name()),
            None => self.name(),
        }
    }

    fn host(&self) -> &str {
        self.host.as_deref().unwrap_or("localhost")
    }
}

#[cfg(test)]
mod tests;
