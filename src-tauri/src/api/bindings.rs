//! TypeScript for everything that goes between window and backend, made from
//! the Rust types.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use config::{FormProblem, FormSchema, Preferences, Review};
use health::{CheckResult, ServiceId, Timestamp};
use history::{Figures, MeasurementSeries, Range};
use ts_rs::{Config, ExportError, TS};

use super::{About, Incidents, Overview, Push, ServiceDetail, TestReport};

/// Writes `bindings.ts` into `folder`.
///
/// # Errors
/// When the folder cannot be written.
pub fn export(folder: &Path) -> Result<(), ExportError> {
    let config = Config::new().with_out_dir(folder).with_large_int("number");
    Overview::export_all(&config)?;
    ServiceDetail::export_all(&config)?;
    Incidents::export_all(&config)?;
    FormSchema::export_all(&config)?;
    Review::export_all(&config)?;
    TestReport::export_all(&config)?;
    Preferences::export_all(&config)?;
    About::export_all(&config)?;
    Push::export_all(&config)?;
    Figures::export_all(&config)?;
    Range::export_all(&config)?;
    MeasurementSeries::export_all(&config)?;
    let file = folder.join("bindings.ts");
    let types = std::fs::read_to_string(&file)?;
    std::fs::write(file, types + &commands(&config))?;
    Ok(())
}

/// Names of all commands, in the order of the table.
pub fn command_names() -> Vec<&'static str> {
    table(&Config::new()).into_iter().map(|command| command.name).collect()
}

struct Command {
    name: &'static str,
    arguments: Vec<(&'static str, String)>,
    reply: String,
}

/// The keys of a service as config.toml has them.
const VALUES: &str = "ServiceValues";

fn table(config: &Config) -> Vec<Command> {
    fn name<T: TS>(config: &Config) -> String {
        T::name(config)
    }
    let id = || ("id", name::<ServiceId>(config));
    let some_id = || ("id", name::<Option<ServiceId>>(config));
    let form =
        || vec![("original", name::<Option<ServiceId>>(config)), ("values", VALUES.to_owned())];
    let minutes = |ty: String| ("minutes", ty);
    let nothing = || "null".to_owned();
    let command = |name, arguments, reply| Command { name, arguments, reply };
    vec![
        command("overview", vec![], name::<Overview>(config)),
        command("figures", vec![], name::<BTreeMap<ServiceId, Figures>>(config)),
        command(
            "service",
            vec![id(), ("range", name::<Range>(config))],
            name::<ServiceDetail>(config),
        ),
        command(
            "result",
            vec![id(), ("at", name::<Timestamp>(config))],
            name::<Option<CheckResult>>(config),
        ),
        command("slowest", vec![id()], name::<Vec<CheckResult>>(config)),
        command(
            "measurements",
            vec![id(), ("range", name::<Range>(config))],
            name::<Vec<MeasurementSeries>>(config),
        ),
        command("incidents", vec![], name::<Incidents>(config)),
        command("check_now", vec![some_id()], nothing()),
        command("pause", vec![some_id(), minutes(name::<Option<u32>>(config))], nothing()),
        command("resume", vec![some_id()], nothing()),
        command("mute", vec![id(), minutes(name::<u32>(config))], nothing()),
        command("form_schema", vec![], name::<FormSchema>(config)),
        command("service_values", vec![id()], VALUES.to_owned()),
        command("review_service", form(), name::<Review>(config)),
        command("test_service", form(), name::<TestReport>(config)),
        command("save_service", form(), name::<Vec<FormProblem>>(config)),
        command("remove_service", vec![id()], nothing()),
        command("reorder_services", vec![("ids", name::<Vec<ServiceId>>(config))], nothing()),
        command("undo_edit", vec![], nothing()),
        command("preferences", vec![], name::<Preferences>(config)),
        command("save_preferences", vec![("preferences", name::<Preferences>(config))], nothing()),
        command("about", vec![], name::<About>(config)),
        command("open_config_file", vec![], nothing()),
        command("open_data_dir", vec![], nothing()),
        command("start_demo", vec![], nothing()),
        command("leave_demo", vec![], nothing()),
    ]
}

fn commands(config: &Config) -> String {
    let mut text = "\n/** A value of a form or of config.toml. */\n\
        export type Value = string | number | boolean | Value[] | { [key: string]: Value };\n\
        \n/** The keys of a service as config.toml has them. */\n\
        export type ServiceValues = Record<string, Value>;\n\
        \n/** Every command: its arguments and its reply. A failed one rejects with a sentence. */\n\
        export type Commands = {\n"
        .to_owned();
    for Command { name, arguments, reply } in table(config) {
        let arguments: Vec<_> =
            arguments.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        let arguments = match arguments.join(", ") {
            none if none.is_empty() => "Record<string, never>".to_owned(),
            some => format!("{{ {some} }}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name}: {{ args: {arguments}; reply: {reply} }};");
    }
    text + "};\n"
}
