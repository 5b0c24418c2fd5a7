use std::process::Command;

use super::home::run;
use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK};

/// `RabbitMQ` with a user and a password, plain and with TLS, and with an Erlang
/// port mapper of its own.
pub struct RabbitMq {
    /// The process.
    pub server: Server,
    /// The port that speaks TLS.
    pub tls_port: u16,
    /// Who certified it.
    pub authority: Authority,
    mapper_port: u16,
}

impl RabbitMq {
    /// Who may do all in `/`.
    pub const USER: &str = "app";
    /// The user's.
    pub const PASSWORD: &str = "rabbitmq-secret";

    /// Starts one.
    pub fn start() -> Self {
        Self::with("")
    }

    /// One that takes no messages: no disk is free enough for it.
    pub fn low_on_disk() -> Self {
        Self::with("disk_free_limit.absolute = 1000000GB\n")
    }

    /// `3.10.8`, as the folder of its programs is called.
    pub fn version() -> String {
        let folders = std::fs::read_dir("/usr/lib/rabbitmq/lib").expect("installed").flatten();
        let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
        let version = names.filter_map(|n| n.strip_prefix("rabbitmq_server-").map(str::to_owned));
        version.last().expect("a version in its folder")
    }

    /// Makes a virtual host that nobody may use.
    pub fn add_vhost(&self, name: &str) {
        let (home, port) = (self.server.home(), self.server.port());
        run(program("rabbitmqctl", home, port, self.mapper_port).args(["add_vhost", name]));
    }

    /// Makes a queue with so many messages in it.
    pub fn fill(&self, queue: &str, messages: usize) {
        let mut stream = talk::plain(self.server.port()).expect("connected");
        log_in(&mut stream, Self::PASSWORD).expect("logged in");
        let tune_ok = b"\0\x0a\0\x1f\0\x01\0\x01\0\0\0\0";
        let open = [frame(1, 0, tune_ok), frame(1, 0, b"\0\x0a\0\x28\x01/\0\0")].concat();
        talk::say(&mut stream, open, "\0\u{a}\0\u{29}").expect("opened");
        let open = frame(1, 1, b"\0\x14\0\x0a\0");
        talk::say(&mut stream, open, "\0\u{14}\0\u{b}").expect("a channel");
        let name = [&[u8::try_from(queue.len()).expect("short")], queue.as_bytes()].concat();
        let declare = frame(1, 1, &[b"\0\x32\0\x0a\0\0", &name[..], b"\0\0\0\0\0"].concat());
        let publish = [
            frame(1, 1, &[b"\0\x3c\0\x28\0\0\0", &name[..], b"\0"].concat()),
            frame(2, 1, b"\0\x3c\0\0\0\0\0\0\0\0\0\x01\0\0"),
            frame(3, 1, b"x"),
        ];
        let all = [declare.clone(), publish.concat().repeat(messages)].concat();
        talk::say(&mut stream, all, "\0\u{32}\0\u{b}").expect("declared");
        // Counted only when all are there.
        talk::say(&mut stream, declare, "\0\u{32}\0\u{b}").expect("filled");
        let close = frame(1, 0, b"\0\x0a\0\x32\0\xc8\0\0\0\0\0");
        talk::say(&mut stream, close, "\0\u{a}\0\u{33}").expect("closed");
    }

    fn with(more: &str) -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        home.write("ca.pem", &std::fs::read_to_string(authority.ca_file()).expect("read"));
        home.write("plugins", "[].\n");
        home.write("env.conf", "");
        let (server, [_, tls_port, mapper_port, _]) = Server::start(
            home,
            |home, [port, tls_port, mapper_port, node_port]| {
                let dir = home.text();
                let config = format!(
                    "listeners.tcp.1 = 127.0.0.1:{port}\nlisteners.ssl.1 = 127.0.0.1:{tls_port}\n\
                     ssl_options.cacertfile = {dir}/ca.pem\n\
                     ssl_options.certfile = {dir}/server.pem\n\
                     ssl_options.keyfile = {dir}/server.key\n\
                     ssl_options.verify = verify_none\n\
                     default_user = {}\ndefault_pass = {}\nlog.console = true\nlog.file = false\n{more}",
                    Self::USER,
                    Self::PASSWORD,
                );
                home.write("rabbitmq.conf", &config);
                let mut command = program("rabbitmq-server", home, port, mapper_port);
                command.env("RABBITMQ_DIST_PORT", node_port.to_string());
                command
            },
            |_, [port, tls_port, ..]| {
                logs_in(talk::plain(port), Self::PASSWORD) && super::listens(tls_port)
            },
        );
        Self { server, tls_port, authority, mapper_port }
    }
}

/// A program of `RabbitMQ` that concerns the broker in `home`.
fn program(name: &str, home: &Home, port: u16, mapper_port: u16) -> Command {
    // Those in PATH insist on being root or the user rabbitmq.
    let mut command = home.command(format!("/usr/lib/rabbitmq/bin/{name}"));
    let to = "-kernel inet_dist_use_interface {127,0,0,1}";
    command
        .env("ERL_EPMD_PORT", mapper_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", format!("test{port}@localhost"))
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", to)
        .env("RABBITMQ_LOGS", "-");
    for (variable, file) in [
        ("RABBITMQ_BASE", ""),
        ("RABBITMQ_LOG_BASE", ""),
        ("RABBITMQ_MNESIA_BASE", "data"),
        ("RABBITMQ_CONF_ENV_FILE", "env.conf"),
        ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", "advanced.config"),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
        ("RABBITMQ_PLUGINS_EXPAND_DIR", "expanded"),
        ("RABBITMQ_FEATURE_FLAGS_FILE", "features"),
        ("RABBITMQ_PID_FILE", "pid"),
    ] {
        command.env(variable, home.join(file));
    }
    command
}

/// Whether AMQP 0-9-1 comes as far as `connection.tune`.
fn logs_in(stream: Option<impl talk::Stream>, password: &str) -> bool {
    stream.is_some_and(|mut stream| log_in(&mut stream, password).is_some())
}

fn log_in(stream: &mut impl talk::Stream, password: &str) -> Option<()> {
    talk::say(stream, b"AMQP\0\0\x09\x01", "en_US")?;
    // connection.start-ok without properties.
    let mut method = b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN".to_vec();
    let response = format!("\0{}\0{password}", RabbitMq::USER);
    method.extend(u32::try_from(response.len()).expect("short").to_be_bytes());
    method.extend(response.bytes());
    method.extend(b"\x05en_US");
    talk::say(stream, frame(1, 0, &method), "\0\u{a}\0\u{1e}").map(drop)
}

fn frame(kind: u8, channel: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&[kind, 0, channel], &length[..], payload, b"\xce"].concat()
}

#[test]
fn rabbitmq_answers_hangs_and_stops() {
    let mut rabbitmq = RabbitMq::start();
    let port = rabbitmq.server.port();
    assert!(!logs_in(talk::plain(port), "wrong"));
    super::eventually("it speaks TLS", &rabbitmq.server, || {
        let stream = talk::tls(rabbitmq.tls_port, &rabbitmq.authority.der());
        logs_in(stream, RabbitMq::PASSWORD)
    });
    super::obeys(&mut rabbitmq.server, || logs_in(talk::plain(port), RabbitMq::PASSWORD));
}
