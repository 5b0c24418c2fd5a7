//! docs/checks.md is made from what the kinds of check say of themselves.

use std::fmt::Write;
use std::path::Path;

use config::{Config, Environment, TIMING};
use probe::{Field, FieldType, Kind};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/checks.md");

/// Writes the file anew instead of comparing it: `make docs`.
const WRITE: &str = "PILOTLIGHT_WRITE_DOCS";

const INTRODUCTION: &str = "\
# Checks

Every `[[service]]` of config.toml has an `id`, a `check` and the keys of that kind of check. `make docs` writes this
page from the program itself.

Times are texts with a unit (`\"500ms\"`, `\"10s\"`, `\"3m\"`, `\"26h\"`). In any text `${NAME}` is a variable of the
environment and `keyring:NAME` an entry of the system's keychain. What each kind says when something is wrong is in
[errors.md](errors.md).

";

#[test]
fn the_page_of_checks_is_what_the_kinds_say() {
    let page = page();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(FILE, &page).expect("written");
    }
    let written = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    assert!(written == page, "docs/checks.md is out of date: `make docs` writes it anew");
}

#[test]
fn every_example_is_valid() {
    for kind in Kind::ALL {
        let text = example(*kind)
            // Nothing of the machine is needed to read the examples.
            .replace("keyring:", "0123456789abcdef-");
        let others = ["web-1", "web-2", "web-3"].map(|id| {
            format!("[[service]]\nid = \"{id}\"\ncheck = \"tcp\"\nhost = \"{id}\"\nport = 80\n")
        });
        let text = format!("{}\n{text}", others.concat());
        let parsed = Config::parse("example", &text, &Environment::system());
        assert!(parsed.is_ok(), "{}: {:?}", kind.as_str(), parsed.err());
    }
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let names = Kind::ALL.iter().map(|kind| format!("[{}](#{})", kind.label(), kind.as_str()));
    page += &names.collect::<Vec<_>>().join(" · ");
    page += "\n";
    for kind in Kind::ALL {
        let (name, label, help) = (kind.as_str(), kind.label(), kind.help());
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "\n## {name}\n\n**{label}.** {help}\n\n```toml\n{}```\n\n",
            example(*kind)
        );
        page += &table(kind.fields());
    }
    page +=
        "\n## Keys of every check\n\nBeside `id`, `check`, `name`, `group` and `depends_on`:\n\n";
    page += &table(TIMING);
    page
}

fn example(kind: Kind) -> String {
    let (name, keys) = (kind.as_str(), kind.example());
    format!("[[service]]\nid = \"my-{name}\"\ncheck = \"{name}\"\n{keys}\n")
}

fn table(fields: &[Field]) -> String {
    let mut table = "| key | holds | default | what it does |\n|---|---|---|---|\n".to_owned();
    for field in fields {
        let Field { key, help, required, default, .. } = field;
        let default = match (required, *default) {
            (true, _) => "needed".to_owned(),
            (false, "") => String::new(),
            (false, default) => format!("`{default}`"),
        };
        let _ = writeln!(table, "| `{key}` | {} | {default} | {} |", holds(field), cell(help));
    }
    table
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn holds(field: &Field) -> String {
    let unit = if field.unit.is_empty() { String::new() } else { format!(" {}", field.unit) };
    match field.value {
        FieldType::Text | FieldType::Multiline => "text".to_owned(),
        FieldType::Url { schemes } => format!("URL ({})", schemes.join(", ")),
        FieldType::Host => "host or IP address".to_owned(),
        FieldType::Integer { min, max } => format!("{min} to {max}{unit}"),
        FieldType::Number { min, max } => format!("{min} to {max}{unit}"),
        FieldType::Boolean => "true, false".to_owned(),
        FieldType::Duration => "time".to_owned(),
        FieldType::Size { percent: true } => "size (`\"20 GiB\"`) or share (`\"10%\"`)".to_owned(),
        FieldType::Size { percent: false } => "size (`\"20 GiB\"`)".to_owned(),
        FieldType::Regex => "regular expression".to_owned(),
        FieldType::Choice { of } => {
            of.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        FieldType::StatusList => "numbers and ranges".to_owned(),
        FieldType::Headers => "`{ Name = \"value\" }`".to_owned(),
        FieldType::Variables => "`{ NAME = \"value\" }`".to_owned(),
        FieldType::JsonAssertions { operators } => {
            format!("list of `{{ path, {} }}`", operators.join(" \\| "))
        }
        FieldType::Services => "list of ids".to_owned(),
        FieldType::Secret | FieldType::Token => "secret text".to_owned(),
        FieldType::File => "full path".to_owned(),
        FieldType::List => "list of texts".to_owned(),
    }
}
