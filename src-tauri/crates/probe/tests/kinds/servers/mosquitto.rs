use super::home::run;
use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK, text};

/// Mosquitto with a user and a password, plain and with TLS. The user may use
/// topics under `app` and `pilotlight`.
pub struct Mosquitto {
    /// The process.
    pub server: Server,
    /// The port that speaks TLS.
    pub tls_port: u16,
    /// Who certified it.
    pub authority: Authority,
}

impl Mosquitto {
    /// Who may connect.
    pub const USER: &str = "sensor";
    /// The user's.
    pub const PASSWORD: &str = "mosquitto-secret";

    /// Starts one.
    pub fn start() -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        run(home
            .command("mosquitto_passwd")
            .args(["-b", "-c", "users"])
            .args([Self::USER, Self::PASSWORD]));
        let (server, [_, tls_port]) = Server::start(
            home,
            |home, [port, tls_port]| {
                let dir = home.text();
                let topics = "topic readwrite app/#\ntopic readwrite pilotlight/#\n";
                let acl = home.write("acl", &format!("user {}\n{topics}", Self::USER));
                let acl = text(&acl);
                let config = format!(
                    "persistence false\nlog_dest stderr\nallow_anonymous false\n\
                     password_file {dir}/users\nacl_file {acl}\nlistener {port} 127.0.0.1\n\
                     listener {tls_port} 127.0.0.1\n\
                     certfile {dir}/server.pem\nkeyfile {dir}/server.key\n"
                );
                let mut command = home.command("mosquitto");
                command.arg("-c").arg(home.write("mosquitto.conf", &config));
                command
            },
            |_, [port, _]| talk::answers(port, connect(Self::PASSWORD), ACCEPTED),
        );
        Self { server, tls_port, authority }
    }
}

/// CONNACK (MQTT 3.1.1, section 3.2).
const ACCEPTED: &str = " \u{2}\0\0";
const NOT_AUTHORIZED: &str = " \u{2}\0\u{5}";

fn connect(password: &str) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x04\xc2\0\x1e".to_vec();
    for text in ["test", Mosquitto::USER, password] {
        body.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
        body.extend(text.bytes());
    }
    let mut packet = vec![0x10, u8::try_from(body.len()).expect("short")];
    packet.extend(body);
    packet
}

#[test]
fn mosquitto_answers_hangs_and_stops() {
    let mut mosquitto = Mosquitto::start();
    let port = mosquitto.server.port();
    let good = || connect(Mosquitto::PASSWORD);
    assert!(talk::answers(port, connect("wrong"), NOT_AUTHORIZED));
    let ca = mosquitto.authority.der();
    assert!(talk::answers_tls(mosquitto.tls_port, &ca, good(), ACCEPTED));
    super::obeys(&mut mosquitto.server, || talk::answers(port, good(), ACCEPTED));
}
