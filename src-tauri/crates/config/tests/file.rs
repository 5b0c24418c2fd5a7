//! Reading and writing the file itself.

use std::fs;
use std::path::Path;

use config::{Environment, LoadError, Loaded, MAX_BYTES, SaveError, load, promised, save};
use health::ServiceId;

const TEXT: &str = "[settings]\ntheme = \"dark\"\n";

fn read(path: &Path) -> Result<Loaded, LoadError> {
    load(path, &Environment::new(|_| None, |_| Ok(String::new())))
}

/// The message without the folder.
fn message(error: &impl ToString, folder: &Path) -> String {
    error.to_string().replace(&folder.join("").display().to_string(), "")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn no_file_is_a_first_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let loaded = read(&folder.path().join("none/config.toml")).expect("an empty config");
    assert_eq!((loaded.text, loaded.config.services.len()), (None, 0));
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/folder/config.toml");
    save(&path, TEXT, None).expect("saved");
    let loaded = read(&path).expect("a config");
    assert_eq!(loaded.text.as_deref(), Some(TEXT));
    save(&path, "", Some(TEXT)).expect("saved again");
    assert_eq!(read(&path).expect("a config").text.as_deref(), Some(""));
    assert_eq!(names(&folder.path().join("new/folder")), ["config.toml"]);
}

#[test]
fn what_a_service_promises_is_read_whatever_else_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let promised = |id| promised(&path, &ServiceId::new(id).expect("an id"));
    assert_eq!(promised("a"), None, "no file");
    fs::write(
        &path,
        "[[service]]\nid = \"a\"\ncheck = \"htpp\"\n[[service]]\nid = \"b\"\nslo = 99.5\n\
         [[service]]\nid = \"c\"\nslo = \"90\"\n[[service]]\nid = \"d\"\nslo = 101\n",
    )
    .expect("written");
    assert_eq!(
        ["a", "b", "c", "d", "e"].map(promised),
        [Some(99.9), Some(99.5), Some(90.0), None, None]
    );
}

#[test]
fn what_cannot_be_a_config() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("binary"), b"a = 1\nb = \"\xff\"\n").expect("written");
    fs::write(path("large"), "#".repeat(usize::try_from(MAX_BYTES).expect("a size") + 1))
        .expect("written");
    fs::write(path("wrong"), "x = 1\n").expect("written");
    for (path, expected) in [
        (folder.path().to_owned(), format!("{} is a folder", folder.path().display())),
        (path("binary"), "binary is not text in UTF-8 (line 2)".to_owned()),
        (path("large"), "large is larger than 4 MiB".to_owned()),
        (
            path("wrong"),
            "wrong:1:1: `x` is outside of any table (put `[[service]]`, `[settings]` or `[connectivity]` on a line above it)"
                .to_owned(),
        ),
    ] {
        let error = read(&path).expect_err("no config");
        assert_eq!(message(&error, folder.path()), expected);
        assert_eq!(error.help().is_empty(), matches!(error, LoadError::Invalid(_)));
    }
}

#[test]
fn a_change_by_somebody_else_is_not_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let refused = |text: &str, edited| match save(&path, text, edited) {
        Err(error @ SaveError::ChangedOnDisk(_)) => message(&error, folder.path()),
        other => panic!("{other:?}"),
    };
    refused(TEXT, Some("gone meanwhile"));
    assert!(names(folder.path()).is_empty());
    fs::write(&path, "theirs").expect("written");
    refused(TEXT, None);
    let said = refused(TEXT, Some(TEXT));
    assert_eq!(
        said,
        "config.toml has changed on disk since it was read: nothing was saved, look at it and try again"
    );
    assert_eq!(fs::read_to_string(&path).expect("the file"), "theirs");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").permissions().mode() & 0o777
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_no_first_run() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("file"), "").expect("written");
        let error = read(&folder.path().join("file/config.toml")).expect_err("no folder");
        assert_eq!(
            message(&error, folder.path()),
            "file/config.toml cannot be read: Not a directory (os error 20)"
        );
    }

    #[test]
    fn it_is_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pilotlight/config.toml");
        save(&path, TEXT, None).expect("saved");
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("permissions");
        save(&path, "", Some(TEXT)).expect("saved");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_symlink_stays_one() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("dotfiles")).expect("a folder");
        let (link, second) = (folder.path().join("config.toml"), folder.path().join("second.toml"));
        symlink("second.toml", &link).expect("a link");
        symlink("dotfiles/real.toml", &second).expect("a link");
        let real = folder.path().join("dotfiles/real.toml");

        assert_eq!(read(&link).expect("a first run").text, None);
        save(&link, TEXT, None).expect("saved through a link to nothing yet");
        assert_eq!(fs::read_to_string(&real).expect("the file"), TEXT);
        save(&link, "", Some(TEXT)).expect("saved");
        assert_eq!(fs::read_to_string(&real).expect("the file"), "");
        assert_eq!(fs::read_link(&link).expect("a link"), Path::new("second.toml"));

        fs::remove_file(&real).expect("removed");
        symlink("../config.toml", &real).expect("a link");
        assert!(matches!(save(&link, TEXT, None), Err(SaveError::Unwritable(..))));
    }

    #[test]
    fn a_failed_save_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::create_dir(&path).expect("a folder in its place");
        let error = save(&path, TEXT, None).expect_err("a folder");
        assert_eq!(
            message(&error, folder.path()),
            "config.toml cannot be written: Is a directory (os error 21)"
        );

        let unwritable = Path::new("/proc/pilotlight/config.toml");
        assert!(matches!(save(unwritable, TEXT, None), Err(SaveError::Unwritable(..))));
    }
}
