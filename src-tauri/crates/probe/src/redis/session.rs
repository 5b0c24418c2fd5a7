//! What is asked of a server, and what its refusals mean.

use std::fmt;

use super::Reply;
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::text::clean;
use crate::trace::Trace;

/// What a server is to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        })
    }
}

/// What a server says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    name: Option<String>,
    version: Option<String>,
    pub(super) role: Option<Role>,
}

impl Identity {
    /// From the answer to `HELLO`: names and values by turns.
    fn read(items: &[Option<String>]) -> Self {
        let value = |name: &str| {
            let mut pairs = items.chunks_exact(2);
            pairs.find(|pair| pair[0].as_deref() == Some(name)).and_then(|pair| pair[1].as_deref())
        };
        Self {
            name: value("server").map(|name| match name {
                "redis" => "Redis".to_owned(),
                "valkey" => "Valkey".to_owned(),
                name => clean(name),
            }),
            version: value("version").map(clean),
            role: match value("role") {
                Some("master") => Some(Role::Primary),
                Some("replica" | "slave") => Some(Role::Replica),
                _ => None,
            },
        }
    }

    pub(super) fn with_role(self, role: Role) -> Self {
        Self { role: Some(role), ..self }
    }

    pub(super) fn note(&self, trace: &Trace) {
        if let Some(version) = &self.version {
            trace.note("server_version", version);
        }
        if let Some(role) = self.role {
            trace.note("role", role);
        }
    }

    /// `PONG, Redis 7.0.15, primary`
    pub(super) fn appended_to(&self, seen: String) -> String {
        let server = self.name.as_ref().zip(self.version.as_ref());
        let server = server.map(|(name, version)| format!("{name} {version}"));
        let role = self.role.map(|role| role.to_string());
        [Some(seen), server, role].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// How a server keeps up with others, or they with it.
#[derive(Debug, PartialEq)]
pub(super) enum Replication {
    Primary {
        replicas: f64,
        /// How far the last of them is behind, in bytes.
        lag: Option<f64>,
    },
    Replica {
        /// `db.internal:6379`
        primary: String,
        up: bool,
        /// What has come and is not done yet, in bytes.
        lag: Option<f64>,
        /// For how many seconds nothing has come.
        silent_for: Option<f64>,
    },
}

impl Replication {
    /// From the answer to `INFO replication`: `name:value` in lines.
    pub(super) fn read(info: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = info.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let number = |name| value(name).and_then(|text| text.parse::<f64>().ok());
        match value("role")? {
            "master" => {
                let offset = number("master_repl_offset");
                let behind = info.lines().filter_map(|line| {
                    let (key, replica) = line.split_once(':')?;
                    let number = key.strip_prefix("slave")?;
                    let fields = number.parse::<u32>().is_ok().then_some(replica)?;
                    let reached = fields.split(',').find_map(|f| f.strip_prefix("offset="))?;
                    Some((offset? - reached.parse::<f64>().ok()?).max(0.0))
                });
                Some(Self::Primary {
                    replicas: number("connected_slaves")?,
                    lag: behind.reduce(f64::max),
                })
            }
            "slave" => Some(Self::Replica {
                primary: clean(&format!("{}:{}", value("master_host")?, value("master_port")?)),
                up: value("master_link_status")? == "up",
                lag: number("slave_read_repl_offset")
                    .zip(number("slave_repl_offset"))
                    .map(|(read, done)| (read - done).max(0.0)),
                silent_for: number("master_last_io_seconds_ago").filter(|ago| *ago >= 0.0),
            }),
            _ => None,
        }
    }

    pub(super) fn role(&self) -> Role {
        match self {
            Self::Primary { .. } => Role::Primary,
            Self::Replica { .. } => Role::Replica,
        }
    }
}

/// A connection to a server.
pub(super) struct Session {
    dialogue: Dialogue,
}

impl Session {
    pub(super) fn new(dialogue: Dialogue) -> Self {
        Self { dialogue: dialogue.speaking("Redis") }
    }

    pub(super) fn trace(&self) -> &Trace {
        self.dialogue.trace()
    }

    pub(super) fn step(&self, step: &'static str) {
        self.trace().step(step);
    }

    pub(super) async fn send(&mut self, questions: &[u8]) -> Result<(), Failure> {
        self.dialogue.send(questions).await
    }

    pub(super) async fn reply(&mut self) -> Result<Reply, Failure> {
        Reply::read(&mut self.dialogue).await
    }

    /// Reads a reply that says no more than whether `what` was done.
    pub(super) async fn accepted(&mut self, what: &str) -> Result<(), Failure> {
        match self.reply().await? {
            Reply::Error(error) => Err(self.refusal(what, &error)),
            Reply::Text(_) => Ok(()),
            reply => Err(self.not_understood(&reply)),
        }
    }

    /// Reads the answer to `HELLO`, which servers before Redis 6 and some
    /// proxies do not know.
    pub(super) async fn identity(&mut self) -> Result<Identity, Failure> {
        match self.reply().await? {
            Reply::List(items) => Ok(Identity::read(&items)),
            Reply::Error(error) if error.starts_with("ERR") && error.contains("command") => {
                Ok(Identity::default())
            }
            Reply::Error(error) => Err(self.refusal("HELLO", &error)),
            reply => Err(self.not_understood(&reply)),
        }
    }

    /// Asks how it keeps up with others; `Err` is its refusal.
    pub(super) async fn replication(&mut self) -> Result<Result<Replication, String>, Failure> {
        let mut info = Vec::new();
        question(&["INFO", "replication"], &mut info);
        self.send(&info).await?;
        Ok(match self.reply().await? {
            Reply::Error(error) => Err(error),
            Reply::Text(text) => {
                Replication::read(&text).ok_or_else(|| "it says nothing of its role".to_owned())
            }
            reply => return Err(self.not_understood(&reply)),
        })
    }

    fn not_understood(&self, reply: &Reply) -> Failure {
        self.dialogue.not_understood(format!("{reply:?}").as_bytes())
    }

    /// Why the server did not do `what`, in plain words.
    pub(super) fn refusal(&self, what: &str, error: &str) -> Failure {
        let at = self.trace().endpoint();
        let (code, text) = error.split_once(' ').unwrap_or((error, ""));
        self.trace().saw_body(error.as_bytes());
        Failure::Unexpected(match code {
            "WRONGPASS" => wrong_password(&at),
            "NOAUTH" => format!("login required ({at}): set `password`"),
            "NOPERM" => format!("{what} is not permitted ({at}): extend the user's ACL"),
            "LOADING" => format!("still loading its data ({at})"),
            "MASTERDOWN" => {
                format!("the link to its primary is down, and it serves no stale data ({at})")
            }
            "DENIED" => format!(
                "it takes connections of its own machine only ({at}): set a password there, \
                 or `protected-mode no`"
            ),
            "ERR" if text.starts_with("invalid password") => wrong_password(&at),
            "ERR"
                if text.contains("without any password configured")
                    || text.contains("no password is set") =>
            {
                format!("it wants no password ({at}): leave `password` out, or set `user`")
            }
            "ERR" if text.starts_with("max number of clients") => {
                format!("too many clients ({at}): raise `maxclients` there")
            }
            "ERR" if text.starts_with("DB index") => {
                format!("{what} does not exist ({at}): check `database`")
            }
            _ => format!("{what} failed ({at}): {}", clean(error)),
        })
    }
}

fn wrong_password(at: &str) -> String {
    format!("login refused ({at}): check `user` and `password`")
}

/// Appends a command and its arguments.
pub(super) fn question(words: &[impl AsRef<str>], to: &mut Vec<u8>) {
    to.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        let word = word.as_ref();
        to.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
}
