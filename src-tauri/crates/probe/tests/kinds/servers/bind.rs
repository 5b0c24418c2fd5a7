use super::home::run;
use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK};

/// BIND: a name server with the zones below, over UDP, TCP, TLS and HTTPS, and
/// a resolver that validates.
///
/// - `example.test`, signed: A, AAAA, NS, MX, TXT, SRV, CAA and CNAME.
/// - `2.0.192.in-addr.arpa`, where 192.0.2.10 is `www.example.test`.
/// - `plain.test`, unsigned.
/// - `bogus.test`, unsigned, which the resolver expects signed: SERVFAIL there.
/// - `broken.test`, whose file is missing: SERVFAIL everywhere.
pub struct Bind {
    /// The name server; its main port is UDP and TCP.
    pub server: Server,
    /// DNS over TLS.
    pub tls_port: u16,
    /// DNS over HTTPS, at `/dns-query`.
    pub https_port: u16,
    /// The resolver, UDP and TCP: answers from `example.test` have AD set.
    pub resolver: Server,
    /// Who certified it.
    pub authority: Authority,
}

const EXAMPLE: &str = "\
$TTL 300
@        IN SOA   ns1 hostmaster 2024010101 3600 600 86400 300
@        IN NS    ns1
@        IN NS    ns2
@        IN A     192.0.2.1
@        IN MX    10 mail
@        IN MX    20 backup
@        IN TXT   \"v=spf1 mx -all\"
@        IN CAA   0 issue \"ca.example.test\"
ns1      IN A     192.0.2.53
ns2      IN A     192.0.2.54
www      IN A     192.0.2.10
www      IN AAAA  2001:db8::10
many     IN A     192.0.2.20
many     IN A     192.0.2.21
alias    IN CNAME www
mail     IN A     192.0.2.25
backup   IN A     192.0.2.26
_sip._tcp IN SRV  10 60 5060 www
";

const REVERSE: &str = "\
$TTL 300
@  IN SOA ns1.example.test. hostmaster.example.test. 2024010101 3600 600 86400 300
@  IN NS  ns1.example.test.
10 IN PTR www.example.test.
";

const PLAIN: &str = "\
$TTL 300
@   IN SOA ns1.example.test. hostmaster.example.test. 2024010101 3600 600 86400 300
@   IN NS  ns1.example.test.
www IN A   192.0.2.30
";

const ZONE: &str = "example.test";

impl Bind {
    /// Starts both.
    pub fn start() -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        home.write(ZONE, EXAMPLE);
        home.write("reverse", REVERSE);
        home.write("plain", PLAIN);
        let anchor = sign(&home);
        let (server, [port, tls_port, https_port]) = Server::start(
            home,
            |home, [port, tls_port, https_port]| {
                let zones: String = [
                    (ZONE, "example.test.signed"),
                    ("2.0.192.in-addr.arpa", "reverse"),
                    ("plain.test", "plain"),
                    ("bogus.test", "plain"),
                    ("broken.test", "missing"),
                ]
                .map(|(zone, file)| {
                    format!("zone \"{zone}\" {{ type primary; file \"{file}\"; }};\n")
                })
                .concat();
                let more = format!(
                    "recursion no;\n\
                     listen-on port {tls_port} tls own {{ 127.0.0.1; }};\n\
                     listen-on port {https_port} tls own http own {{ 127.0.0.1; }};\n"
                );
                let outside = format!(
                    "tls own {{ cert-file \"server.pem\"; key-file \"server.key\"; }};\n\
                     http own {{ endpoints {{ \"/dns-query\"; }}; }};\n{zones}"
                );
                named(home, port, &more, &outside)
            },
            |_, [port, ..]| ask(port, "www.example.test", A).is_some_and(|reply| reply.code == 0),
        );
        let (resolver, [_]) = Server::start(
            Home::new(),
            |home, [resolver_port]| {
                let zones: String =
                    [ZONE, "2.0.192.in-addr.arpa", "plain.test", "bogus.test", "broken.test"]
                        .map(|zone| {
                            format!(
                                "zone \"{zone}\" {{ type forward; forward only; \
                             forwarders {{ 127.0.0.1 port {port}; }}; }};\n"
                            )
                        })
                        .concat();
                let anchors = ["example.test", "bogus.test"]
                    .map(|zone| format!("\"{zone}\" static-key {anchor};\n"))
                    .concat();
                let outside = format!("trust-anchors {{\n{anchors}}};\n{zones}");
                named(home, resolver_port, "recursion yes;\ndnssec-validation yes;\n", &outside)
            },
            |_, [port]| ask(port, "www.example.test", A).is_some_and(|reply| reply.code == 0),
        );
        Self { server, tls_port, https_port, resolver, authority }
    }
}

/// Signs `example.test` and gives its key as a trust anchor wants it:
/// `257 3 13 "..."`.
fn sign(home: &Home) -> String {
    let keygen = || {
        let mut command = home.command("dnssec-keygen");
        command.args(["-q", "-a", "ECDSAP256SHA256"]);
        command
    };
    run(keygen().arg(ZONE));
    let name = run(keygen().args(["-f", "KSK", ZONE]));
    run(home.command("dnssec-signzone").args(["-q", "-S", "-o", ZONE, ZONE]));
    let key = std::fs::read_to_string(home.join(&format!("{}.key", name.trim()))).expect("a key");
    let record = key.lines().find(|line| !line.starts_with(';')).expect("a record");
    let fields: Vec<_> = record.split_whitespace().collect();
    let [_, _, _, flags, protocol, algorithm, key @ ..] = fields.as_slice() else {
        panic!("no DNSKEY: {record}")
    };
    format!("{flags} {protocol} {algorithm} \"{}\"", key.concat())
}

fn named(home: &Home, port: u16, options: &str, outside: &str) -> std::process::Command {
    let dir = home.text();
    let config = format!(
        "options {{\ndirectory \"{dir}\";\npid-file none;\nlock-file none;\n\
         session-keyfile \"{dir}/session.key\";\nempty-zones-enable no;\nnotify no;\n\
         listen-on-v6 {{ none; }};\nlisten-on port {port} {{ 127.0.0.1; }};\n{options}}};\n\
         controls {{ }};\n{outside}"
    );
    let mut command = home.command("named");
    command.args(["-g", "-n", "1", "-c"]).arg(home.write("named.conf", &config));
    command
}

const A: u8 = 1;

struct Reply {
    code: u8,
    authentic: bool,
    answers: u8,
}

/// A question with DNSSEC wanted (AD), over TCP.
fn ask(port: u16, name: &str, kind: u8) -> Option<Reply> {
    reply(&mut talk::plain(port)?, name, kind)
}

fn reply(stream: &mut impl talk::Stream, name: &str, kind: u8) -> Option<Reply> {
    let question = question(name, kind);
    let length = u16::try_from(question.len()).expect("short").to_be_bytes();
    stream.write_all(&[&length[..], &question].concat()).ok()?;
    stream.flush().ok()?;
    let mut bytes = [0; 14];
    stream.read_exact(&mut bytes).ok()?;
    Some(read(&bytes[2..]))
}

fn question(name: &str, kind: u8) -> Vec<u8> {
    let mut bytes = b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\0".to_vec();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("short"));
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, kind, 0, 1]);
    bytes
}

fn read(header: &[u8]) -> Reply {
    Reply { code: header[3] & 15, authentic: header[3] & 0x20 != 0, answers: header[7] }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};
    use std::time::Duration;

    use super::*;

    const SERVFAIL: u8 = 2;
    const NXDOMAIN: u8 = 3;
    const REFUSED: u8 = 5;

    #[test]
    fn bind_answers_hangs_and_stops() {
        let mut bind = Bind::start();
        let port = bind.server.port();
        // A, NS, CNAME, PTR, MX, TXT, AAAA, SRV, DNSKEY, CAA (12 is below a byte too: 257).
        for (name, kind, answers) in [
            ("www.example.test", A, 1),
            ("many.example.test", A, 2),
            ("example.test", 2, 2),
            ("alias.example.test", 5, 1),
            ("alias.example.test", A, 2),
            ("10.2.0.192.in-addr.arpa", 12, 1),
            ("example.test", 15, 2),
            ("example.test", 16, 1),
            ("www.example.test", 28, 1),
            ("_sip._tcp.example.test", 33, 1),
            ("example.test", 48, 2),
            ("www.plain.test", A, 1),
        ] {
            let reply = ask(port, name, kind).expect("a reply");
            assert_eq!((reply.code, reply.answers), (0, answers), "{name} {kind}");
            assert!(!reply.authentic, "the name server itself does not validate");
        }
        for (name, code) in [
            ("none.example.test", NXDOMAIN),
            ("www.broken.test", SERVFAIL),
            ("elsewhere.invalid", REFUSED),
        ] {
            assert_eq!(ask(port, name, A).expect("a reply").code, code, "{name}");
        }
        crate::servers::obeys(&mut bind.server, || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
            socket.set_read_timeout(Some(Duration::from_secs(1))).expect("set");
            socket.connect((Ipv4Addr::LOCALHOST, port)).expect("connected");
            let mut bytes = [0; 512];
            socket.send(&question("www.example.test", A)).is_ok()
                && socket.recv(&mut bytes).is_ok_and(|_| read(&bytes).answers == 1)
        });
    }

    #[test]
    fn the_resolver_validates() {
        let mut bind = Bind::start();
        let port = bind.resolver.port();
        for (name, code, authentic) in [
            ("www.example.test", 0, true),
            ("none.example.test", NXDOMAIN, true),
            ("www.plain.test", 0, false),
            ("www.bogus.test", SERVFAIL, false),
            ("www.broken.test", SERVFAIL, false),
        ] {
            let reply = ask(port, name, A).expect("a reply");
            assert_eq!((reply.code, reply.authentic), (code, authentic), "{name}");
        }
        crate::servers::obeys(&mut bind.resolver, || {
            ask(port, "www.example.test", A).is_some_and(|reply| reply.authentic)
        });
    }

    #[test]
    fn bind_speaks_tls_and_https() {
        let bind = Bind::start();
        let ca = bind.authority.der();
        let mut stream = talk::tls(bind.tls_port, &ca).expect("trusted");
        assert_eq!(reply(&mut stream, "www.example.test", A).expect("a reply").answers, 1);
        // The preface of HTTP/2 with empty settings; the server sends its own.
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let mut stream = talk::tls_with(bind.https_port, &ca, b"h2").expect("trusted");
        talk::say(&mut stream, preface, "\u{4}\0\0\0\0").expect("settings");
    }
}
