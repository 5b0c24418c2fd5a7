//! Every file in `tests/invalid` is wrong in some way, and the text beside it
//! is all that is said about it, word for word. A line that ends in `[...]`
//! goes on with what changes with every new kind of check.

use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, Document, Environment, KeychainError};
use proptest::prelude::*;

fn environment() -> Environment {
    Environment::new(
        |name| (name == "SET").then(|| "s3cret".to_owned()),
        |name| match name {
            "locked" => Err(KeychainError::Unreachable("it is locked".to_owned())),
            _ => Err(KeychainError::NoEntry),
        },
    )
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid");
    let entries = fs::read_dir(folder).expect("the folder of invalid files");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn agrees(said: &str, expected: &str) -> bool {
    said.lines().count() == expected.lines().count()
        && said.lines().zip(expected.lines()).all(|(said, expected)| {
            match expected.strip_suffix("[...]") {
                Some(start) => said.starts_with(start),
                None => said == expected,
            }
        })
}

#[test]
fn says_what_is_wrong_and_where() {
    let mut wrong = Vec::new();
    for path in files() {
        let text = fs::read_to_string(&path).expect("a readable file");
        let said = match Config::parse("config.toml", &text, &environment()) {
            Ok(_) => "nothing".to_owned(),
            Err(invalid) => {
                assert!(
                    !invalid.to_string().contains("s3cret"),
                    "{}: a secret is told",
                    path.display()
                );
                invalid
                    .problems()
                    .iter()
                    .flat_map(|problem| [problem.to_string(), "\n".to_owned()])
                    .collect()
            }
        };
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        if !agrees(&said, &expected) {
            wrong.push(format!("{}\n--- expected\n{expected}\n--- said\n{said}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_expectation_has_its_file() {
    let files = files();
    assert!(files.len() >= 25, "{} files", files.len());
    let folder = files[0].parent().expect("a folder");
    for entry in fs::read_dir(folder).expect("the folder of invalid files") {
        let path = entry.expect("an entry").path();
        assert!(files.contains(&path.with_extension("toml")), "{}", path.display());
    }
}

proptest! {
    /// Half-written files are read all the time: an editor saves them.
    #[test]
    fn no_text_is_too_strange(file in 0..25usize, cut in 0..400usize, length in 0..60usize, put in "[\\[\\]{}=\"'#.,a1é\n -]{0,6}") {
        let text = fs::read_to_string(&files()[file]).expect("a readable file");
        let mut text: Vec<char> = text.chars().collect();
        let from = cut.min(text.len());
        let to = (cut + length).min(text.len());
        text.splice(from..to, put.chars());
        let text: String = text.into_iter().collect();

        if let Err(invalid) = Config::parse("config.toml", &text, &environment()) {
            prop_assert!(!invalid.problems().is_empty());
            prop_assert!(!invalid.render(false).is_empty());
            for problem in invalid.problems() {
                prop_assert!(problem.span.end <= text.len(), "{:?}", problem);
            }
        }
        if let Ok(document) = Document::parse("config.toml", &text) {
            prop_assert_eq!(document.to_string().len(), text.len());
        }
    }
}
