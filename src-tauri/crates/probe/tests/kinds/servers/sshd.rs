use super::home::run;
use super::{Home, Server, talk};

/// OpenSSH with an Ed25519, an ECDSA and an RSA host key. It lets nobody in.
pub struct Sshd {
    /// The process.
    pub server: Server,
    /// `SHA256:...` of the Ed25519 host key.
    pub ed25519: String,
    /// `SHA256:...` of the ECDSA host key.
    pub ecdsa: String,
    /// `SHA256:...` of the RSA host key.
    pub rsa: String,
}

impl Sshd {
    /// Starts one.
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts one with more lines in its config.
    pub fn with(more: &str) -> Self {
        let home = Home::new();
        let [ed25519, ecdsa, rsa] = ["ed25519", "ecdsa", "rsa"].map(|algorithm| {
            run(home
                .command("ssh-keygen")
                .args(["-q", "-N", "", "-t", algorithm])
                .args(["-f", algorithm]));
            let printed = run(home.command("ssh-keygen").args(["-l", "-f", algorithm]));
            printed.split(' ').nth(1).expect("`256 SHA256:... comment`").to_owned()
        });
        let (server, [_]) = Server::start(
            home,
            |home, [port]| {
                let dir = home.text();
                let config = format!(
                    "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nUsePAM no\n\
                     HostKey {dir}/ed25519\nHostKey {dir}/ecdsa\nHostKey {dir}/rsa\n{more}\n"
                );
                let mut command = home.command("sshd");
                command.args(["-D", "-e", "-f"]).arg(home.write("sshd.conf", &config));
                command
            },
            |_, [port]| greets(port),
        );
        Self { server, ed25519, ecdsa, rsa }
    }
}

fn greets(port: u16) -> bool {
    talk::answers(port, "", "SSH-2.0-OpenSSH")
}

#[test]
fn sshd_answers_hangs_and_stops() {
    let mut sshd = Sshd::start();
    let port = sshd.server.port();
    let home = sshd.server.home();
    for (algorithm, fingerprint) in
        [("ed25519", &sshd.ed25519), ("ecdsa", &sshd.ecdsa), ("rsa", &sshd.rsa)]
    {
        let scan = ["-p", &port.to_string(), "-t", algorithm, "127.0.0.1"].map(str::to_owned);
        let key = run(home.command("ssh-keyscan").args(scan));
        home.write("seen", &key);
        let seen = run(home.command("ssh-keygen").args(["-l", "-f", "seen"]));
        assert!(seen.contains(fingerprint.as_str()), "{seen}");
    }
    super::obeys(&mut sshd.server, || greets(port));
}
