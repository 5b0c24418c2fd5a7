//! The temporary directory a server lives in.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::authority::Identity;

/// `nobody`, whom servers run as that refuse to be root.
const NOBODY: u32 = 65534;

/// A server's directory, which belongs to the user it runs as: the one of the
/// test, or nobody where that is root.
pub struct Home {
    dir: TempDir,
    user: Option<u32>,
}

/// File permissions.
pub fn mode(mode: u32) -> Permissions {
    Permissions::from_mode(mode)
}

impl Home {
    /// A new and empty one.
    pub fn new() -> Self {
        let user = rustix::process::getuid().is_root().then_some(NOBODY);
        let dir = tempfile::Builder::new().prefix("pl").permissions(mode(0o700)).tempdir();
        let home = Self { dir: dir.expect("a temporary directory"), user };
        home.own(home.path());
        home
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The path of a file in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The directory as text, for config files.
    pub fn text(&self) -> &str {
        crate::authority::text(self.path())
    }

    /// User and group id of its owner.
    pub fn ids(&self) -> (u32, u32) {
        let caller = || (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        self.user.map_or_else(caller, |id| (id, id))
    }

    /// User and group name of its owner.
    pub fn names(&self) -> (String, String) {
        let (user, group) = self.ids();
        (name_of("/etc/passwd", user), name_of("/etc/group", group))
    }

    /// Writes a file only the server can read.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, mode(0o600)).expect("permitted");
        self.own(&path);
        path
    }

    /// Makes a directory.
    pub fn make_dir(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir(&path).expect("made");
        fs::set_permissions(&path, mode(0o700)).expect("permitted");
        self.own(&path);
        path
    }

    /// Puts `server.pem` and `server.key` there.
    pub fn identity(&self, identity: &Identity) {
        for (name, file) in
            [("server.pem", &identity.cert_file), ("server.key", &identity.key_file)]
        {
            self.write(name, &fs::read_to_string(file).expect("read"));
        }
    }

    /// A program that is to run in it, as its owner, with nothing of the
    /// test's environment.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin:/usr/bin:/bin";
        let found = std::env::split_paths(&path).map(|dir| dir.join(program));
        let found = found.into_iter().find(|file| file.is_file());
        let mut command = Command::new(found.unwrap_or_else(|| {
            panic!("{} is not installed; `make test` installs it", program.display())
        }));
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path())
            .env("TMPDIR", self.path())
            .env("LC_ALL", "C")
            .current_dir(self.path())
            .stdin(Stdio::null());
        if let Some(id) = self.user {
            command.uid(id).gid(id);
        }
        command
    }

    /// Starts the server, in a process group of its own, with a new log.
    pub(super) fn spawn(&self, command: &mut Command) -> Child {
        let log = File::create(self.join("log")).expect("a log");
        let errors = log.try_clone().expect("a log");
        command.process_group(0).stdout(log).stderr(errors).spawn().expect("it starts")
    }

    /// The end of the server's log.
    pub fn log_tail(&self) -> String {
        let log = fs::read(self.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn own(&self, path: &Path) {
        if self.user.is_some() {
            chown(path, self.user, self.user).expect("owned");
        }
    }
}

/// Runs a preparation to its end and gives back what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The name with that id, third in its line.
fn name_of(file: &str, id: u32) -> String {
    let text = fs::read_to_string(file).expect("there");
    let id = id.to_string();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(id.as_str()));
    let name = line.and_then(|line| line.split(':').next());
    name.unwrap_or_else(|| panic!("nobody has the id {id} in {file}")).to_owned()
}
