use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK};

/// Dovecot: IMAP and POP3, each plain with STARTTLS, and with TLS from the
/// start. The user has an empty INBOX.
pub struct Dovecot {
    /// The process; its main port is IMAP's.
    pub server: Server,
    /// IMAP with TLS from the start.
    pub imaps_port: u16,
    /// POP3.
    pub pop3_port: u16,
    /// POP3 with TLS from the start.
    pub pop3s_port: u16,
    /// Who certified it.
    pub authority: Authority,
}

impl Dovecot {
    /// Whose mail it is.
    pub const USER: &str = "app";
    /// The user's.
    pub const PASSWORD: &str = "dovecot-secret";

    /// Starts one.
    pub fn start() -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        home.write("users", &format!("{}:{{PLAIN}}{}\n", Self::USER, Self::PASSWORD));
        for dir in ["run", "state", "mail"] {
            home.make_dir(dir);
        }
        let (server, [_, imaps_port, pop3_port, tls_pop3]) = Server::start(
            home,
            |home, [port, imaps_port, pop3_port, tls_pop3]| {
                let dir = home.text();
                let (user, group) = home.ids();
                let (user_name, group_name) = home.names();
                let listener = |name: &str, port: u16, ssl: &str| {
                    format!("inet_listener {name} {{\nport = {port}\nssl = {ssl}\n}}\n")
                };
                let config = format!(
                    "protocols = imap pop3\nlisten = 127.0.0.1\nlog_path = /dev/stderr\n\
                     base_dir = {dir}/run\nstate_dir = {dir}/state\n\
                     mail_location = maildir:{dir}/mail\nfirst_valid_uid = 1\n\
                     default_internal_user = {user_name}\ndefault_internal_group = {group_name}\n\
                     default_login_user = {user_name}\n\
                     disable_plaintext_auth = no\nauth_failure_delay = 0\n\
                     ssl = yes\nssl_cert = <{dir}/server.pem\nssl_key = <{dir}/server.key\n\
                     passdb {{\ndriver = passwd-file\nargs = {dir}/users\n}}\n\
                     userdb {{\ndriver = static\nargs = uid={user} gid={group} home={dir}/mail\n}}\n\
                     service anvil {{\nchroot =\n}}\nservice stats {{\nchroot =\n}}\n\
                     service imap-login {{\nchroot =\n{}{}}}\n\
                     service pop3-login {{\nchroot =\n{}{}}}\n",
                    listener("imap", port, "no"),
                    listener("imaps", imaps_port, "yes"),
                    listener("pop3", pop3_port, "no"),
                    listener("pop3s", tls_pop3, "yes"),
                );
                let mut command = home.command("dovecot");
                command.arg("-F").arg("-c").arg(home.write("dovecot.conf", &config));
                command
            },
            |_, [port, _, pop3_port, _]| {
                logs_in(talk::plain(port), Self::PASSWORD) && talk::answers(pop3_port, "", "+OK")
            },
        );
        Self { server, imaps_port, pop3_port, pop3s_port: tls_pop3, authority }
    }
}

/// Whether IMAP lets the user in.
fn logs_in(stream: Option<impl talk::Stream>, password: &str) -> bool {
    let Some(mut stream) = stream else { return false };
    let login = format!("a LOGIN {} {password}\r\n", Dovecot::USER);
    talk::say(&mut stream, "", "* OK").is_some() && talk::say(&mut stream, login, "a OK").is_some()
}

#[test]
fn dovecot_answers_hangs_and_stops() {
    let mut dovecot = Dovecot::start();
    let port = dovecot.server.port();
    let ca = dovecot.authority.der();
    super::eventually("IMAP over TLS", &dovecot.server, || {
        logs_in(talk::tls(dovecot.imaps_port, &ca), Dovecot::PASSWORD)
    });
    super::eventually("POP3 over TLS", &dovecot.server, || {
        talk::answers_tls(dovecot.pop3s_port, &ca, "", "+OK")
    });
    let mut stream = talk::plain(port).expect("connected");
    talk::say(&mut stream, "a LOGIN app wrong\r\n", "a NO [AUTHENTICATIONFAILED]").expect("denied");

    let mut stream = talk::plain(dovecot.pop3_port).expect("connected");
    talk::say(&mut stream, "", "+OK").expect("a greeting");
    talk::say(&mut stream, "STLS\r\n", "+OK").expect("it may be encrypted");
    let mut stream = talk::encrypt(stream, &ca).expect("trusted");
    talk::say(&mut stream, format!("USER {}\r\n", Dovecot::USER), "+OK").expect("a user");
    talk::say(&mut stream, format!("PASS {}\r\n", Dovecot::PASSWORD), "+OK").expect("let in");
    super::obeys(&mut dovecot.server, || logs_in(talk::plain(port), Dovecot::PASSWORD));
}
