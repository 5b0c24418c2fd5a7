use axum::Router;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

/// A real HTTP server on a free port of loopback, which it keeps while it is
/// down.
pub struct Server {
    pub port: u16,
    state: State,
}

enum State {
    Up(JoinHandle<()>),
    Down(TcpSocket),
}

impl Server {
    pub fn up() -> Self {
        let mut server = Self::down();
        server.start();
        server
    }

    pub fn down() -> Self {
        let socket = bind(0);
        let port = socket.local_addr().expect("it is bound").port();
        Self { port, state: State::Down(socket) }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/health", self.port)
    }

    pub fn start(&mut self) {
        // Taken by listening.
        let State::Down(socket) =
            std::mem::replace(&mut self.state, State::Up(tokio::spawn(async {})))
        else {
            panic!("it is up already")
        };
        let listener = socket.listen(64).expect("a port to listen on");
        let answers = Router::new().fallback(|| async { r#"{"status":"ok"}"# });
        self.state = State::Up(tokio::spawn(async move {
            axum::serve(listener, answers).await.expect("it serves until it is stopped");
        }));
    }

    pub async fn stop(&mut self) {
        if let State::Up(serving) = &mut self.state {
            serving.abort();
            let _ = serving.await;
            self.state = State::Down(bind(self.port));
        }
    }
}

/// A port nobody listens on: connections are refused.
fn bind(port: u16) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option every system has");
    socket.bind(([127, 0, 0, 1], port).into()).expect("a free port");
    socket
}
