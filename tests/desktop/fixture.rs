use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use zbus::Connection;

use super::notifications::Notifications;
use super::process::Process;
use super::screen::{Screen, Shown};
use super::tray::{self, Tray};
use super::window::Window;

/// What a person waits for is there within this time, however busy the
/// machine is.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Only what the panel needs is started by the bus: no keyring, no portal.
const BUS: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:dir=HOME</listen>
  <servicedir>HOME/services</servicedir>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;
const XFCONF: &str = "/usr/share/dbus-1/services/org.xfce.Xfconf.service";

/// A panel with a tray and nothing else.
const PANEL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=12;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
"#;

/// A desktop of its own: display, session bus, and a home folder.
pub struct Desktop {
    // In the order in which they have to go.
    screen: Screen,
    bus: Connection,
    _bus: Process,
    _display: Process,
    display: String,
    address: String,
    home: TempDir,
}

/// A running Pilotlight.
pub struct Pilotlight {
    process: Process,
    /// Where its window takes orders.
    inspector: u16,
}

impl Desktop {
    /// Without a panel and without anything that shows notifications.
    pub async fn bare() -> Self {
        let home =
            tempfile::Builder::new().prefix("desktop-").tempdir().expect("a temporary folder");
        let folder = home.path();
        let panel = folder.join(".config/xfce4/xfconf/xfce-perchannel-xml");
        for private in [folder.join("runtime"), folder.join("services"), panel.clone()] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(private).expect("a folder");
        }
        fs::write(panel.join("xfce4-panel.xml"), PANEL).expect("written");
        fs::write(folder.join("bus.conf"), BUS.replace("HOME", &folder.display().to_string()))
            .expect("written");
        fs::copy(XFCONF, folder.join("services/xfconf.service"))
            .unwrap_or_else(|error| panic!("{XFCONF}: {error}: install the package xfconf"));

        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]);
        let (number, display) = announced(&mut command, "xvfb", folder);
        let mut command = Command::new("dbus-daemon");
        command
            .arg("--config-file")
            .arg(folder.join("bus.conf"))
            .args(["--nofork", "--print-address"]);
        let display_name = format!(":{number}");
        environment(&mut command, folder, &display_name);
        let (address, bus) = announced(&mut command, "dbus", folder);
        Self {
            screen: Screen::connect(&display_name),
            bus: connect(&address).await,
            _bus: bus,
            _display: display,
            display: display_name,
            address,
            home,
        }
    }

    /// With a panel and notifications, as most people have it.
    pub async fn full() -> (Self, Process, Notifications) {
        let desktop = Self::bare().await;
        let notifications = desktop.notifications().await;
        let panel = desktop.panel();
        desktop.until("a panel with a tray", async || tray::is_shown(&desktop.bus).await).await;
        (desktop, panel, notifications)
    }

    /// Starts what shows notifications.
    pub async fn notifications(&self) -> Notifications {
        Notifications::serve(&self.address).await
    }

    /// Starts a panel with a tray.
    pub fn panel(&self) -> Process {
        let mut panel = self.command("xfce4-panel");
        Process::start(panel.arg("--disable-wm-check"), "xfce4-panel", &self.said("panel"))
    }

    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    pub fn config(&self) -> PathBuf {
        self.home.path().join("pilotlight.toml")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("history")
    }

    /// Starts Pilotlight with config and data folder of this desktop.
    pub fn start(&self, arguments: &[&str]) -> Pilotlight {
        let (config, data_dir) = (self.config(), self.data_dir());
        let places =
            ["--config".as_ref(), config.as_os_str(), "--data-dir".as_ref(), data_dir.as_os_str()];
        let mut command = self.pilotlight();
        self.launch(command.args(arguments).args(places))
    }

    /// Starts Pilotlight where it keeps its files by itself.
    pub fn start_with_default_places(&self, arguments: &[&str]) -> Pilotlight {
        self.launch(self.pilotlight().args(arguments))
    }

    fn pilotlight(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_pilotlight"))
    }

    fn launch(&self, command: &mut Command) -> Pilotlight {
        let inspector = free_port();
        command
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{inspector}"));
        Pilotlight {
            process: Process::start(command, "pilotlight", &self.said("pilotlight")),
            inspector,
        }
    }

    /// What Pilotlight said on stderr.
    pub fn said_by_pilotlight(&self) -> String {
        fs::read_to_string(self.said("pilotlight")).unwrap_or_default()
    }

    /// A hand in the first window that Pilotlight opened since it was started.
    pub async fn window(&self, pilotlight: &Pilotlight) -> Window<'_> {
        let port = free_port();
        let mut driver = self.command("WebKitWebDriver");
        driver
            .arg(format!("--port={port}"))
            .arg(format!("--target=127.0.0.1:{}", pilotlight.inspector));
        let driver = Process::start(&mut driver, "webkit2gtk-driver", &self.said("webdriver"));
        let shown = self
            .until("the window", async || {
                let shown = self.screen.app_windows().into_iter().next();
                shown.ok_or_else(|| self.windows())
            })
            .await;
        self.screen.focus(&shown);
        Window::attach(self, driver, port).await
    }

    /// The only window of the app, once there is one.
    pub async fn shown(&self) -> Shown {
        self.until("one window of the app", async || match self.screen.app_windows().as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(self.windows()),
        })
        .await
    }

    fn windows(&self) -> String {
        format!("on the screen: {:?}", self.screen.windows())
    }

    /// The app's item in the tray, once it is there.
    pub async fn tray(&self) -> Tray<'_> {
        self.until("an item in the tray", async || Tray::find(&self.bus).await).await
    }

    /// The tray's tooltip, once it says so.
    pub async fn tooltip(&self, wanted: &str) {
        self.until(&format!("the tooltip {wanted:?}"), async || {
            let tooltip = Tray::find(&self.bus).await?.tooltip().await?;
            if tooltip.contains(wanted) { Ok(()) } else { Err(tooltip) }
        })
        .await;
    }

    /// Waits for a condition, which says how it is until it holds.
    ///
    /// # Panics
    /// When it does not hold in time: with how it was at last, a picture of
    /// the screen and what the programs said.
    pub async fn until<T>(
        &self,
        what: &str,
        mut condition: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        let start = Instant::now();
        loop {
            match condition().await {
                Ok(value) => return value,
                Err(last) if start.elapsed() > DEADLINE => {
                    panic!("{what} did not come within {DEADLINE:?}; {last}\n{}", self.report());
                }
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    fn report(&self) -> String {
        let name = std::thread::current().name().unwrap_or("desktop").replace("::", "-");
        let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        let mut import = self.command("import");
        let taken = import.args(["-window", "root"]).arg(&picture).status();
        let taken = match taken {
            Ok(status) if status.success() => format!("screenshot: {}", picture.display()),
            _ => "no screenshot: install the package imagemagick".to_owned(),
        };
        let logs = fs::read_dir(self.data_dir().join("logs")).into_iter().flatten().flatten();
        let logs = logs.map(|entry| entry.path());
        let said = ["pilotlight", "webdriver", "panel"]
            .map(|name| self.said(name))
            .into_iter()
            .chain(logs);
        let said = said.map(|file| {
            let text = fs::read_to_string(&file).unwrap_or_default();
            format!("--- {} ---\n{text}", file.display())
        });
        [taken].into_iter().chain(said).collect::<Vec<_>>().join("\n")
    }

    fn said(&self, name: &str) -> PathBuf {
        self.home.path().join(format!("{name}.said"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        environment(&mut command, self.home.path(), &self.display);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        command
    }
}

impl Pilotlight {
    /// Its exit code, once it has ended by itself.
    pub async fn exit_code(&mut self, on: &Desktop) -> i32 {
        on.until("the end of the app", async || {
            let ended = self.process.ended().ok_or("it is still running")?;
            ended.code().ok_or_else(|| ended.to_string())
        })
        .await
    }

    pub fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The processes that draw its window: one a page.
    pub fn web_processes(&self) -> usize {
        let all = fs::read_dir("/proc").expect("Linux").flatten();
        let lines = all.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        // "1234 (WebKitWebProces) S parent group …"; one that ended is still
        // listed, as Z, until it is waited for.
        let of_its_window = lines.filter(|line| {
            let Some((name, rest)) =
                line.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'))
            else {
                return false;
            };
            let rest: Vec<_> = rest.split_whitespace().collect();
            name == "WebKitWebProces"
                && rest.first() != Some(&"Z")
                && rest.get(2) == Some(&self.id().to_string().as_str())
        });
        of_its_window.count()
    }
}

/// Starts a program whose first line on stdout says where it is to be found.
fn announced(command: &mut Command, package: &str, folder: &Path) -> (String, Process) {
    let program = command.get_program().to_string_lossy().into_owned();
    let said = folder.join(format!("{program}.said"));
    let mut process = Process::start(command.stdout(Stdio::piped()), package, &said);
    let mut line = String::new();
    BufReader::new(process.stdout()).read_line(&mut line).expect("a line");
    let line = line.trim().to_owned();
    assert!(!line.is_empty(), "{program}: {}", fs::read_to_string(&said).unwrap_or_default());
    (line, process)
}

/// Nothing of the person who runs the tests is touched or asked.
fn environment(command: &mut Command, home: &Path, display: &str) {
    for other in [
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        "SESSION_MANAGER",
        "XDG_CURRENT_DESKTOP",
        "PILOTLIGHT_LOG",
    ] {
        command.env_remove(other);
    }
    command
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join(".config"))
        .env("XDG_DATA_HOME", home.join(".local/share"))
        .env("XDG_CACHE_HOME", home.join(".cache"))
        .env("XDG_RUNTIME_DIR", home.join("runtime"))
        .env("DISPLAY", display)
        .env("LC_ALL", "C.UTF-8")
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("NO_AT_BRIDGE", "1")
        .env("GTK_USE_PORTAL", "0")
        .env("GIO_USE_VFS", "local")
        .env("GSETTINGS_BACKEND", "memory");
}

async fn connect(address: &str) -> Connection {
    let builder = zbus::connection::Builder::address(address).expect("an address");
    builder.build().await.expect("the session bus")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
