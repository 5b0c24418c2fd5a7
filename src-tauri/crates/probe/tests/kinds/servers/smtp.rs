use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK};

/// Exim with STARTTLS, and a port with TLS from the start. Who has logged in
/// may send; what is sent stays in its queue.
pub struct Smtp {
    /// The process.
    pub server: Server,
    /// The port that speaks TLS from the start.
    pub tls_port: u16,
    /// Who certified it.
    pub authority: Authority,
}

impl Smtp {
    /// Who may send, by AUTH PLAIN and LOGIN, encrypted or not.
    pub const USER: &str = "app";
    /// The user's.
    pub const PASSWORD: &str = "smtp-secret";

    /// Starts one.
    pub fn start() -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        let (server, [_, tls_port]) = Server::start(
            home,
            |home, [port, tls_port]| {
                let dir = home.text();
                let (user, group) = home.ids();
                let may = |name: &str, secret: &str| {
                    let (user, password) = (Self::USER, Self::PASSWORD);
                    format!(
                        "${{if and{{{{eq{{{name}}}{{{user}}}}}{{eq{{{secret}}}{{{password}}}}}}}}}"
                    )
                };
                let config = format!(
                    "exim_user = {user}\nexim_group = {group}\nadmin_groups = {group}\n\
                     primary_hostname = mail.example.test\nspool_directory = {dir}/spool\n\
                     log_file_path = {dir}/%slog\npid_file_path = {dir}/pid\nkeep_environment =\n\
                     local_interfaces = 127.0.0.1\ndaemon_smtp_ports = {port} : {tls_port}\n\
                     tls_on_connect_ports = {tls_port}\ntls_advertise_hosts = *\n\
                     tls_certificate = {dir}/server.pem\ntls_privatekey = {dir}/server.key\n\
                     daemon_startup_retries = 0\nqueue_only\nhost_lookup =\nrfc1413_hosts =\n\
                     acl_smtp_rcpt = may_send\n\
                     begin acl\nmay_send:\n  accept authenticated = *\n\
                     begin authenticators\n\
                     plain:\n  driver = plaintext\n  public_name = PLAIN\n\
                     \x20 server_prompts = :\n  server_set_id = $auth2\n  server_condition = {}\n\
                     login:\n  driver = plaintext\n  public_name = LOGIN\n\
                     \x20 server_prompts = Username:: : Password::\n  server_set_id = $auth1\n\
                     \x20 server_condition = {}\n",
                    may("$auth2", "$auth3"),
                    may("$auth1", "$auth2"),
                );
                let mut command = home.command("exim4");
                command.arg("-C").arg(home.write("exim.conf", &config)).arg("-bdf");
                command
            },
            |_, [port, _]| greets(port),
        );
        Self { server, tls_port, authority }
    }
}

fn greets(port: u16) -> bool {
    talk::answers(port, "", "220 mail.example.test ESMTP")
}

#[test]
fn smtp_answers_hangs_and_stops() {
    let mut smtp = Smtp::start();
    let port = smtp.server.port();
    let ca = smtp.authority.der();
    let enter = |stream: &mut dyn talk::Stream, password: &str| {
        let mut stream = stream;
        talk::say(&mut stream, "EHLO test\r\n", "250 HELP\r\n").expect("extensions");
        talk::say(&mut stream, "AUTH LOGIN\r\n", "334 ").expect("a user is wanted");
        talk::say(&mut stream, "YXBw\r\n", "334 ").expect("a password is wanted");
        talk::say(&mut stream, format!("{password}\r\n"), "\r\n").expect("an answer")
    };
    let good = "c210cC1zZWNyZXQ=";

    let mut stream = talk::plain(port).expect("connected");
    talk::say(&mut stream, "", "220 ").expect("a greeting");
    talk::say(&mut stream, "EHLO test\r\n", "STARTTLS").expect("extensions");
    talk::say(&mut stream, "STARTTLS\r\n", "220 TLS go ahead").expect("it may be encrypted");
    let mut stream = talk::encrypt(stream, &ca).expect("trusted");
    assert!(enter(&mut stream, good).starts_with("235 "));

    let mut stream = talk::tls(smtp.tls_port, &ca).expect("trusted");
    talk::say(&mut stream, "", "220 ").expect("a greeting");
    assert!(enter(&mut stream, "d3Jvbmc=").starts_with("535 "));
    super::obeys(&mut smtp.server, || greets(port));
}
