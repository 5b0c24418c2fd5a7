use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ClientMessageEvent,
    ConnectionExt as _, EventMask, ImageFormat, InputFocus, MOTION_NOTIFY_EVENT, MapState, Window,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

/// The panel is this high, and its only icon as wide.
pub const PANEL: u16 = 32;

/// What is on the screen, and a hand on the mouse.
pub struct Screen {
    connection: RustConnection,
    root: Window,
}

/// A window that can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    window: Window,
    pub title: String,
    x: i16,
    y: i16,
    width: u16,
    height: u16,
}

impl Screen {
    pub fn connect(display: &str) -> Self {
        let (connection, screen) = RustConnection::connect(Some(display)).expect("the display");
        let root = connection.setup().roots[screen].root;
        Self { connection, root }
    }

    /// All windows that can be seen and have a title.
    pub fn windows(&self) -> Vec<Shown> {
        let tree =
            self.connection.query_tree(self.root).expect("sent").reply().expect("the windows");
        // One that is closed in the meantime is none.
        tree.children.into_iter().filter_map(|window| self.look(window)).collect()
    }

    fn look(&self, window: Window) -> Option<Shown> {
        let attributes = self.connection.get_window_attributes(window).ok()?.reply().ok()?;
        if attributes.map_state != MapState::VIEWABLE {
            return None;
        }
        let title = self
            .connection
            .get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 256)
            .ok()?
            .reply()
            .ok()?;
        let place = self.connection.get_geometry(window).ok()?.reply().ok()?;
        Some(Shown {
            window,
            title: String::from_utf8_lossy(&title.value).into_owned(),
            x: place.x,
            y: place.y,
            width: place.width,
            height: place.height,
        })
        .filter(|shown| !shown.title.is_empty() && shown.width > 100)
    }

    /// The windows of the app.
    pub fn app_windows(&self) -> Vec<Shown> {
        self.windows().into_iter().filter(|window| window.title == "Pilotlight").collect()
    }

    /// Asks a window to close, as its close button does.
    pub fn close(&self, shown: &Shown) {
        let [protocols, delete] = ["WM_PROTOCOLS", "WM_DELETE_WINDOW"].map(|name| self.atom(name));
        let message = ClientMessageEvent::new(32, shown.window, protocols, [delete, 0, 0, 0, 0]);
        self.connection
            .send_event(false, shown.window, EventMask::NO_EVENT, message)
            .expect("sent")
            .check()
            .expect("the window is asked");
    }

    /// Gives a window the keyboard, as a window manager would.
    pub fn focus(&self, shown: &Shown) {
        self.connection
            .set_input_focus(InputFocus::POINTER_ROOT, shown.window, x11rb::CURRENT_TIME)
            .expect("sent")
            .check()
            .expect("the window takes the keyboard");
    }

    fn atom(&self, name: &str) -> Atom {
        self.connection
            .intern_atom(false, name.as_bytes())
            .expect("sent")
            .reply()
            .expect("a name")
            .atom
    }

    fn panel(&self) -> Option<Shown> {
        self.windows()
            .into_iter()
            .find(|window| window.title == "xfce4-panel" && window.height >= PANEL)
    }

    /// The picture at the place of the panel's only icon; none where it is
    /// bare.
    pub fn panel_icon(&self) -> Option<Vec<u8>> {
        let panel = self.panel()?;
        // Without the panel's border.
        let (x, y, side) = (panel.x + 4, panel.y + 4, PANEL - 8);
        let picture = self
            .connection
            .get_image(ImageFormat::Z_PIXMAP, self.root, x, y, side, side, u32::MAX)
            .ok()?
            .reply()
            .ok()?
            .data;
        let bare = picture.chunks(4).all(|pixel| pixel == &picture[..4]);
        (!bare).then_some(picture)
    }

    /// Clicks the panel's icon with the left button.
    pub fn click_panel_icon(&self) {
        let panel = self.panel().expect("a panel");
        let middle = PANEL.cast_signed() / 2;
        self.point(MOTION_NOTIFY_EVENT, 0, panel.x + middle, panel.y + middle);
        self.point(BUTTON_PRESS_EVENT, 1, 0, 0);
        self.point(BUTTON_RELEASE_EVENT, 1, 0, 0);
    }

    fn point(&self, event: u8, button: u8, x: i16, y: i16) {
        self.connection
            .xtest_fake_input(event, button, x11rb::CURRENT_TIME, self.root, x, y, 0)
            .expect("sent")
            .check()
            .expect("the mouse moves");
    }
}
