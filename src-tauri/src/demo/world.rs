use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::server::{Mode, Need, Role, serve};

/// One server of the shop.
struct Part {
    id: &'static str,
    name: &'static str,
    group: &'static str,
    preset: &'static str,
    http: bool,
    needs: &'static [&'static str],
}

/// Those that others need come first.
const PARTS: &[Part] = &[
    part("postgres", "PostgreSQL", "Data", "database", false, &[]),
    part("redis", "Redis", "Data", "cache", false, &[]),
    part("elasticsearch", "Elasticsearch", "Data", "database", true, &[]),
    part("user-service", "user-service", "Services", "internal-http", true, &["postgres", "redis"]),
    part(
        "product-service",
        "product-service",
        "Services",
        "internal-http",
        true,
        &["postgres", "elasticsearch"],
    ),
    part("auth-service", "auth-service", "Services", "internal-http", true, &["postgres"]),
    part(
        "api-gateway",
        "API Gateway",
        "Edge",
        "internal-http",
        true,
        &["user-service", "product-service", "auth-service"],
    ),
    part("web-frontend", "Web Frontend", "Edge", "internal-http", true, &["api-gateway"]),
];

const fn part(
    id: &'static str,
    name: &'static str,
    group: &'static str,
    preset: &'static str,
    http: bool,
    needs: &'static [&'static str],
) -> Part {
    Part { id, name, group, preset, http, needs }
}

/// What happens when, in seconds; after the last line it starts again.
const SCRIPT: &[(u64, &str, Mode)] = &[
    (30, "elasticsearch", Mode::Slow(Duration::from_millis(320))),
    (65, "elasticsearch", Mode::Well),
    (80, "postgres", Mode::Down),
    (140, "postgres", Mode::Well),
    (165, "product-service", Mode::Sick),
    (190, "product-service", Mode::Well),
    (200, "redis", Mode::Down),
    (203, "redis", Mode::Well),
    (206, "redis", Mode::Down),
    (209, "redis", Mode::Well),
    (212, "redis", Mode::Down),
    (215, "redis", Mode::Well),
    (218, "redis", Mode::Down),
    (221, "redis", Mode::Well),
    (224, "redis", Mode::Down),
    (227, "redis", Mode::Well),
    (250, "web-frontend", Mode::Slow(Duration::from_millis(900))),
    (275, "web-frontend", Mode::Well),
    (300, "web-frontend", Mode::Well),
];

/// The shop: its servers, and the script that plays with them.
pub(super) struct World {
    addresses: BTreeMap<&'static str, SocketAddr>,
    _tasks: JoinSet<()>,
}

impl World {
    /// Binds every server to a free port of loopback and starts the script.
    pub async fn start() -> std::io::Result<Self> {
        let mut addresses = BTreeMap::new();
        let mut modes = BTreeMap::new();
        let mut tasks = JoinSet::new();
        for part in PARTS {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            addresses.insert(part.id, address);
            let (mode, watched) = watch::channel(Mode::Well);
            modes.insert(part.id, mode);
            tasks.spawn(serve(Some(listener), address, part.role(&addresses), watched));
        }
        tasks.spawn(play(modes));
        Ok(Self { addresses, _tasks: tasks })
    }

    /// The config that watches it, as a person would write it.
    pub fn config(&self) -> String {
        let mut text = "# The demo: servers of this process, failing on a script.\n".to_owned();
        for part in PARTS.iter().rev() {
            let address = self.addresses[part.id];
            let depends_on: Vec<_> = part.needs.iter().map(|id| format!("\"{id}\"")).collect();
            let target = if part.http {
                format!(
                    "check = \"http\"\nurl = \"http://{address}/health\"\n\
                     expect_json = [{{ path = \"$.status\", equals = \"ok\" }}]"
                )
            } else {
                format!("check = \"tcp\"\nhost = \"{}\"\nport = {}", address.ip(), address.port())
            };
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\n[[service]]\nid = \"{}\"\nname = \"{}\"\ngroup = \"{}\"\n{target}\npreset = \"{}\"\n\
                 every = \"2s\"\nretry_every = \"1s\"\ndepends_on = [{}]\n",
                part.id,
                part.name,
                part.group,
                part.preset,
                depends_on.join(", ")
            );
        }
        text
    }
}

impl Part {
    fn role(&self, addresses: &BTreeMap<&'static str, SocketAddr>) -> Role {
        if !self.http {
            return Role::Tcp;
        }
        let needs = PARTS
            .iter()
            .filter(|part| self.needs.contains(&part.id))
            .map(|part| Need { name: part.id, address: addresses[part.id], http: part.http })
            .collect();
        Role::Http { needs }
    }
}

async fn play(modes: BTreeMap<&'static str, watch::Sender<Mode>>) {
    loop {
        let start = tokio::time::Instant::now();
        for (at, id, mode) in SCRIPT {
            tokio::time::sleep_until(start + Duration::from_secs(*at)).await;
            modes[id].send_replace(*mode);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_names_servers_in_order_and_ends_well() {
        assert!(SCRIPT.is_sorted_by_key(|(at, _, _)| *at));
        let mut last = BTreeMap::new();
        for (_, id, mode) in SCRIPT {
            assert!(PARTS.iter().any(|part| part.id == *id), "{id}");
            last.insert(id, *mode);
        }
        assert!(last.values().all(|mode| *mode == Mode::Well));
    }

    #[tokio::test]
    async fn the_config_is_valid() {
        let world = World::start().await.expect("free ports");
        let environment = config::Environment::system();
        let (config, warnings) =
            config::Config::parse("demo", &world.config(), &environment).expect("valid");
        assert_eq!(config.services.len(), PARTS.len());
        assert_eq!(warnings, []);
    }
}
