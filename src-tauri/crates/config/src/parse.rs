use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use health::ServiceId;
use probe::Values;
use serde_json::Value;
use toml_edit::{ArrayOfTables, Item, Table, TableLike};

use crate::place::{Finding, Source};
use crate::problem::{Invalid, Problem};
use crate::secrets::Environment;
use crate::service::{Config, Service};
use crate::settings::Settings;
use crate::toml::{json_of, span_of_key, span_of_value, values_of};
use crate::validate::{self, Around};
use crate::words;

pub(crate) const SERVICE: &str = "service";
pub(crate) const SETTINGS: &str = "settings";
const CONNECTIVITY: &str = "connectivity";

impl Config {
    /// Reads a config.toml; `source_name` is what messages call it. Besides
    /// the config there may be warnings.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once. Only a text that is no TOML
    /// hides the rest behind its first mistake.
    pub fn parse(
        source_name: &str,
        text: &str,
        environment: &Environment,
    ) -> Result<(Self, Vec<Problem>), Invalid> {
        let document = toml_edit::Document::parse(text)
            .map_err(|error| Invalid::new(source_name, text, vec![syntax_problem(text, &error)]))?;
        let mut reading =
            Reading { source: Source::new(text), problems: Vec::new(), warnings: Vec::new() };
        let config = reading.config(document.as_table(), environment);
        let Reading { mut problems, mut warnings, .. } = reading;
        problems.sort_by_key(|problem| problem.span.start);
        warnings.sort_by_key(|warning| warning.span.start);
        if problems.is_empty() {
            Ok((config, warnings))
        } else {
            Err(Invalid::new(source_name, text, problems))
        }
    }
}

/// The share of availability that one service promises; nothing else in the
/// text is looked at.
pub(crate) fn promised(text: &str, id: &ServiceId) -> Option<f64> {
    let document = toml_edit::Document::parse(text).ok()?;
    let services = json_of(document.get(SERVICE)?)?;
    let services = services.as_array()?.iter().filter_map(Value::as_object);
    let mut named = services.filter(|values| values.get("id").is_some_and(|is| is == id.as_str()));
    validate::promised(named.next()?).ok()
}

/// What the TOML parser says, in the words of the other problems.
pub(crate) fn syntax_problem(text: &str, error: &toml_edit::TomlError) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let there = text.get(span.clone()).unwrap_or_default();
    let (wrong, expected) = match error.message().split_once(", expected ") {
        Some((wrong, expected)) => (wrong, format!("expected {expected}")),
        None => (error.message(), "from here on the file cannot be read".to_owned()),
    };
    let (message, help) = match wrong {
        "duplicate key" => (format!("`{there}` is set twice"), "keep one of them".to_owned()),
        "string values must be quoted" => {
            (format!("`{there}` is no value"), format!("put text in quotes: \"{there}\""))
        }
        other => (other.to_owned(), expected),
    };
    Source::new(text).problem(span, None, Finding::whole(message, help))
}

struct Reading<'a> {
    source: Source<'a>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// A table of keys and where it is.
#[derive(Clone, Copy)]
struct Place<'a> {
    table: &'a dyn TableLike,
    start: usize,
    end: usize,
}

impl<'a> Place<'a> {
    fn new(table: &'a dyn TableLike, span: Range<usize>) -> Self {
        Self { table, start: span.start, end: span.end }
    }

    fn span_of(&self, finding: &Finding) -> Range<usize> {
        let whole = self.start..self.end;
        if finding.on_key {
            span_of_key(self.table, whole, &finding.path)
        } else {
            span_of_value(self.table, whole, &finding.path)
        }
    }
}

impl Reading<'_> {
    fn config(&mut self, root: &Table, environment: &Environment) -> Config {
        self.unknown_tables(root);
        let settings = self.settings(root);
        let services = self
            .service_tables(root)
            .map_or_else(Vec::new, |tables| self.services(tables, &settings, environment));
        Config { settings, services }
    }

    fn unknown_tables(&mut self, root: &Table) {
        for (key, item) in
            root.iter().filter(|(key, _)| ![SERVICE, SETTINGS, CONNECTIVITY].contains(key))
        {
            let finding = match item {
                Item::Table(_) | Item::ArrayOfTables(_) => Finding::key(
                    key,
                    format!("there is no table `{key}`"),
                    match words::nearest(key, [SERVICE, SETTINGS, CONNECTIVITY]) {
                        Some(SERVICE) => "did you mean `[[service]]`?".to_owned(),
                        Some(nearest) => format!("did you mean `[{nearest}]`?"),
                        None => "the tables are `[[service]]`, `[settings]` and `[connectivity]`"
                            .to_owned(),
                    },
                ),
                Item::None | Item::Value(_) => Finding::key(
                    key,
                    format!("`{key}` is outside of any table"),
                    "put `[[service]]`, `[settings]` or `[connectivity]` on a line above it",
                ),
            };
            self.problem(Place::new(root, 0..0), None, finding);
        }
    }

    fn settings(&mut self, root: &Table) -> Settings {
        let mut settings = Settings::default();
        if let Some(place) = self.table(root, SETTINGS) {
            let (given, findings) = validate::settings(&values_of(place.table));
            self.findings(place, None, findings);
            settings = given;
        }
        if let Some(place) = self.table(root, CONNECTIVITY) {
            let (targets, findings) = validate::connectivity(&values_of(place.table));
            self.findings(place, None, findings);
            settings.connectivity_targets = targets.unwrap_or(settings.connectivity_targets);
        }
        settings
    }

    fn table<'t>(&mut self, root: &'t Table, key: &str) -> Option<Place<'t>> {
        let item = root.get(key)?;
        if let Some(table) = item.as_table_like() {
            return Some(Place::new(table, item.span().unwrap_or_default()));
        }
        let finding = Finding::key(
            key,
            format!("`{key}` is not a table"),
            format!("write `[{key}]` on a line of its own"),
        );
        self.problem(Place::new(root, 0..0), None, finding);
        None
    }

    fn service_tables<'t>(&mut self, root: &'t Table) -> Option<&'t ArrayOfTables> {
        let item = root.get(SERVICE)?;
        if let Item::ArrayOfTables(tables) = item {
            return Some(tables);
        }
        let finding = Finding::key(
            SERVICE,
            "`service` is not a list of tables",
            "begin each service with `[[service]]`, in double brackets, on a line of its own",
        );
        self.problem(Place::new(root, 0..0), None, finding);
        None
    }

    fn services(
        &mut self,
        tables: &ArrayOfTables,
        settings: &Settings,
        environment: &Environment,
    ) -> Vec<Service> {
        let values: Vec<Values> = tables.iter().map(|table| values_of(table)).collect();
        let id_of =
            |values: &Values| values.get("id").and_then(|id| id.as_str()).map(str::to_owned);
        let known: BTreeSet<String> = values.iter().filter_map(id_of).collect();
        let groups = values.iter().filter_map(validate::group).collect();
        let mut tokens = BTreeMap::new();
        let mut taken = BTreeMap::new();
        let mut services = Vec::new();
        for (table, values) in tables.iter().zip(&values) {
            let place = Place::new(table, table.span().unwrap_or_default());
            let id = id_of(values);
            let around = Around {
                settings,
                known: &known,
                taken: &taken,
                environment,
                groups: &groups,
                tokens: &tokens,
            };
            let checked = validate::service(values, &around);
            self.findings(place, id.as_deref(), checked.problems);
            for warning in checked.warnings {
                let span = place.span_of(&warning);
                self.warnings.push(self.source.problem(span, id.clone(), warning));
            }
            if let Some(service) = &checked.service
                && let Some(token) = service.probe().token()
            {
                tokens.insert(token.to_owned(), service.id.clone());
            }
            services.extend(checked.service);
            if let Some(id) = id {
                let (line, _) = self.source.position(place.start);
                taken.entry(id).or_insert_with(|| format!("the service on line {line}"));
            }
        }
        services
    }

    fn findings(&mut self, place: Place<'_>, service: Option<&str>, findings: Vec<Finding>) {
        for finding in findings {
            self.problem(place, service, finding);
        }
    }

    fn problem(&mut self, place: Place<'_>, service: Option<&str>, finding: Finding) {
        let problem =
            self.source.problem(place.span_of(&finding), service.map(str::to_owned), finding);
        self.problems.push(problem);
    }
}
