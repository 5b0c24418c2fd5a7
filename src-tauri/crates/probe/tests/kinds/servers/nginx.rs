use super::{Home, Server, talk};
use crate::authority::{Authority, Identity, LOOPBACK};

/// nginx with a port for HTTP, one for HTTPS (HTTP/2 too) and one for HTTPS
/// that wants a client's certificate. `/` says `fine`; `/private/` wants user
/// and password.
pub struct Nginx {
    /// The process.
    pub server: Server,
    /// The port for HTTPS.
    pub https_port: u16,
    /// The port that wants a client's certificate.
    pub mutual_port: u16,
    /// Who certified it, and certifies clients.
    pub authority: Authority,
}

impl Nginx {
    /// Who may see `/private/`.
    pub const USER: &str = "reader";
    /// The user's.
    pub const PASSWORD: &str = "nginx-secret";

    /// Starts one with more directives of its own, like
    /// `location /teapot { return 418; }`.
    pub fn start(snippet: &str) -> Self {
        let authority = Authority::new();
        let identity = authority.server(LOOPBACK);
        Self::certified(snippet, authority, &identity)
    }

    /// Starts one with that certificate instead of a good one.
    pub fn certified(snippet: &str, authority: Authority, identity: &Identity) -> Self {
        let home = Home::new();
        home.identity(identity);
        home.write("ca.pem", &std::fs::read_to_string(authority.ca_file()).expect("read"));
        home.write("users", &format!("{}:{{PLAIN}}{}\n", Self::USER, Self::PASSWORD));
        let (server, [_, https_port, mutual_port]) = Server::start(
            home,
            |home, [port, https_port, mutual_port]| {
                let dir = home.text();
                let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|kind| format!("{kind}_temp_path {dir}/{kind};\n"))
                    .concat();
                let tls = format!(
                    "ssl_certificate {dir}/server.pem;\nssl_certificate_key {dir}/server.key;\n"
                );
                let site = format!(
                    "location / {{ default_type text/plain; return 200 \"fine\\n\"; }}\n\
                     location /private/ {{\n\
                       auth_basic private;\nauth_basic_user_file {dir}/users;\n\
                       default_type text/plain;\ntry_files /none @secret;\n\
                     }}\n\
                     location @secret {{ default_type text/plain; return 200 \"secret\\n\"; }}\n\
                     {snippet}\n"
                );
                let config = format!(
                    "daemon off;\nworker_processes 1;\npid {dir}/pid;\nerror_log stderr;\n\
                     events {{ worker_connections 256; }}\n\
                     http {{\naccess_log off;\n{temporary}\
                     server {{ listen 127.0.0.1:{port};\n{site} }}\n\
                     server {{ listen 127.0.0.1:{https_port} ssl http2;\n{tls}{site} }}\n\
                     server {{ listen 127.0.0.1:{mutual_port} ssl;\n{tls}\
                       ssl_client_certificate {dir}/ca.pem;\nssl_verify_client on;\n{site} }}\n\
                     }}\n"
                );
                let mut command = home.command("nginx");
                command.args(["-p", dir, "-e", "stderr", "-c"]);
                command.arg(home.write("nginx.conf", &config));
                command
            },
            |_, [port, ..]| talk::answers(port, "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 "),
        );
        Self { server, https_port, mutual_port, authority }
    }
}

#[test]
fn nginx_answers_hangs_and_stops() {
    let mut nginx = Nginx::start("location /teapot { return 418; }");
    let port = nginx.server.port();
    let ca = nginx.authority.der();
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.0\r\n{more}\r\n");
    assert!(talk::answers(port, get("/", ""), "fine"));
    assert!(talk::answers(port, get("/teapot", ""), "418"));
    assert!(talk::answers(port, get("/private/", ""), "401 Unauthorized"));
    let password = "Authorization: Basic cmVhZGVyOm5naW54LXNlY3JldA==\r\n";
    assert!(talk::answers(port, get("/private/", password), "secret"));
    assert!(talk::answers_tls(nginx.https_port, &ca, get("/", ""), "fine"));
    let unknown = "400 No required SSL certificate was sent";
    assert!(talk::answers_tls(nginx.mutual_port, &ca, get("/", ""), unknown));
    super::obeys(&mut nginx.server, || talk::answers(port, get("/", ""), "fine"));
}

#[test]
fn nginx_has_bad_certificates_too() {
    let authority = Authority::new();
    let ca = authority.der();
    for (identity, good) in [
        (authority.expiring_in(3), true),
        (authority.expired(), false),
        (authority.self_signed(), false),
        (authority.server(&["elsewhere.test"]), false),
    ] {
        let nginx = Nginx::certified("", Authority::new(), &identity);
        let answers = talk::answers_tls(nginx.https_port, &ca, "GET / HTTP/1.0\r\n\r\n", "fine");
        assert_eq!(answers, good);
    }
}
