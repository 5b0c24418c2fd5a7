use std::collections::HashMap;

use zbus::zvariant::{OwnedObjectPath, OwnedValue, Structure, Value};
use zbus::{Connection, Proxy, proxy::CacheProperties};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// A picture: width, height, its bytes.
type Picture = (i32, i32, Vec<u8>);
/// An item of a menu: its id, its properties, the items in it.
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// There is a panel that shows the tray's items.
pub async fn is_shown(bus: &Connection) -> Result<(), String> {
    let watcher = proxy(bus, WATCHER, "/StatusNotifierWatcher", WATCHER).await?;
    match watcher.get_property("IsStatusNotifierHostRegistered").await {
        Ok(true) => Ok(()),
        Ok(false) => Err("a tray without a panel".to_owned()),
        Err(error) => Err(text(error)),
    }
}

/// The app's item in the tray, as the session bus has it.
pub struct Tray<'a> {
    bus: &'a Connection,
    name: String,
}

impl<'a> Tray<'a> {
    /// The only item that is registered.
    pub async fn find(bus: &'a Connection) -> Result<Self, String> {
        let watcher = proxy(bus, WATCHER, "/StatusNotifierWatcher", WATCHER).await?;
        let items: Vec<String> =
            watcher.get_property("RegisteredStatusNotifierItems").await.map_err(text)?;
        let [item] = items.as_slice() else { return Err(format!("items in the tray: {items:?}")) };
        let (name, _) = item.split_once('/').ok_or_else(|| format!("no path in {item}"))?;
        Ok(Self { bus, name: name.to_owned() })
    }

    pub async fn tooltip(&self) -> Result<String, String> {
        let tooltip: (String, Vec<Picture>, String, String) =
            self.item().await?.get_property("ToolTip").await.map_err(text)?;
        Ok(tooltip.3)
    }

    pub async fn icon(&self) -> Result<Vec<Picture>, String> {
        self.item().await?.get_property("IconPixmap").await.map_err(text)
    }

    /// Chooses the line of the menu that says so.
    pub async fn choose(&self, line: &str) -> Result<(), String> {
        let path: OwnedObjectPath = self.item().await?.get_property("Menu").await.map_err(text)?;
        let menu = proxy(self.bus, &self.name, path.as_str(), MENU).await?;
        let everything = (0, -1, Vec::<String>::new());
        let (_, root): (u32, Layout) = menu.call("GetLayout", &everything).await.map_err(text)?;
        let lines: Vec<_> = root.2.iter().filter_map(id_and_label).collect();
        let Some((id, _)) = lines.iter().find(|(_, label)| label == line) else {
            return Err(format!("the menu has {lines:?}"));
        };
        let event = (*id, "clicked", Value::from(0), 0_u32);
        // After "Quit" there is nobody to reply.
        menu.call_noreply("Event", &event).await.map_err(text)
    }

    async fn item(&self) -> Result<Proxy<'_>, String> {
        proxy(self.bus, &self.name, "/StatusNotifierItem", ITEM).await
    }
}

fn id_and_label(item: &OwnedValue) -> Option<(i32, String)> {
    let item: &Structure = item.downcast_ref().ok()?;
    let [Value::I32(id), Value::Dict(properties), ..] = item.fields() else { return None };
    let label: Option<String> = properties.get(&"label").ok()?;
    Some((*id, label?))
}

async fn proxy<'a>(
    bus: &Connection,
    name: &'a str,
    path: &'a str,
    interface: &'a str,
) -> Result<Proxy<'a>, String> {
    zbus::proxy::Builder::new(bus)
        .destination(name)
        .and_then(|builder| builder.path(path))
        .and_then(|builder| builder.interface(interface))
        .map_err(text)?
        .cache_properties(CacheProperties::No)
        .build()
        .await
        .map_err(text)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
