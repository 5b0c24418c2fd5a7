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
}

impl RabbitMq {
    /// Who may do all in `/`.
    pub const USER: &str = "app";
    /// The user's.
    pub const PASSWORD: &str = "rabbitmq-secret";

    /// Starts one.
    pub fn start() -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        home.write("ca.pem", &std::fs::read_to_string(authority.ca_file()).expect("read"));
        home.write("plugins", "[].\n");
        home.write("env.conf", "");
        let (server, [_, tls_port, ..]) = Server::start(
            home,
            |home, [port, tls_port, mapper_port, node_port]| {
                let dir = home.text();
                let config = format!(
                    "listeners.tcp.1 = 127.0.0.1:{port}\nlisteners.ssl.1 = 127.0.0.1:{tls_port}\n\
                     ssl_options.cacertfile = {dir}/ca.pem\n\
                     ssl_options.certfile = {dir}/server.pem\n\
                     ssl_options.keyfile = {dir}/server.key\n\
                     ssl_options.verify = verify_none\n\
                     default_user = {}\ndefault_pass = {}\nlog.console = true\nlog.file = false\n",
                    Self::USER,
                    Self::PASSWORD,
                );
                home.write("rabbitmq.conf", &config);
                // The one in PATH insists on being root or the user rabbitmq.
                let mut command = home.command("/usr/lib/rabbitmq/bin/rabbitmq-server");
                let to = "-kernel inet_dist_use_interface {127,0,0,1}";
                command
                    .env("ERL_EPMD_PORT", mapper_port.to_string())
                    .env("ERL_EPMD_ADDRESS", "127.0.0.1")
                    .env("RABBITMQ_NODENAME", format!("test{port}@localhost"))
                    .env("RABBITMQ_DIST_PORT", node_port.to_string())
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
            },
            |_, [port, tls_port, ..]| {
                logs_in(talk::plain(port), Self::PASSWORD) && super::listens(tls_port)
            },
        );
        Self { server, tls_port, authority }
    }
}

/// Whether AMQP 0-9-1 comes as far as `connection.tune`.
fn logs_in(stream: Option<impl talk::Stream>, password: &str) -> bool {
    let Some(mut stream) = stream else { return false };
    let Some(_start) = talk::say(&mut stream, b"AMQP\0\0\x09\x01", "en_US") else { return false };
    // connection.start-ok without properties.
    let mut method = b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN".to_vec();
    let response = format!("\0{}\0{password}", RabbitMq::USER);
    method.extend(u32::try_from(response.len()).expect("short").to_be_bytes());
    method.extend(response.bytes());
    method.extend(b"\x05en_US");
    let mut frame = b"\x01\0\0".to_vec();
    frame.extend(u32::try_from(method.len()).expect("short").to_be_bytes());
    frame.extend(method);
    frame.push(0xce);
    talk::say(&mut stream, frame, "\0\u{a}\0\u{1e}").is_some()
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
