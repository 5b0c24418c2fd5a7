//! The tray icon, its tooltip and its menu.

use engine::Snapshot;
use health::{Overall, ServiceId, ServiceStatus};

/// Unhealthy services the menu lists.
const LISTED: usize = 8;
/// Windows shows no more UTF-16 units of a tooltip.
const TOOLTIP_UNITS: usize = 127;

/// The tray icon as it should be. Plain data: compared before anything native
/// is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayView {
    /// The picture.
    pub icon: Icon,
    /// What it says when it is pointed at.
    pub tooltip: String,
    /// Its lines, from the top.
    pub menu: Vec<Item>,
}

/// The picture: its shape carries the state, its colour repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icon {
    /// A disc with a tick.
    Healthy,
    /// A triangle.
    Degraded,
    /// An octagon with the count of root causes; 10 stands for more than nine.
    Unhealthy(u8),
    /// A ring.
    Unknown,
    /// A slashed ring.
    Offline,
    /// Two bars.
    Paused,
}

/// One line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Text that does nothing.
    Label(String),
    /// Does something.
    Action(Action, String),
    /// A menu within the menu.
    Submenu(String, Vec<Item>),
    /// A thin line.
    Separator,
}

/// What a line of the menu does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Opens the window.
    Open,
    /// Opens the window on a service.
    OpenService(ServiceId),
    /// Checks all services at once.
    CheckNow,
    /// Pauses all services.
    Pause(PauseFor),
    /// Ends the pause.
    Resume,
    /// Opens the window on the settings.
    Settings,
    /// Ends Pilotlight.
    Quit,
}

/// How long "Pause" lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseFor {
    /// So long.
    Minutes(u32),
    /// Until the next morning.
    UntilTomorrow,
    /// Until somebody ends it.
    UntilResumed,
}

impl Action {
    /// A name for native menus to hand back.
    pub fn id(&self) -> String {
        match self {
            Self::Open => "open".to_owned(),
            Self::OpenService(id) => format!("service/{id}"),
            Self::CheckNow => "check".to_owned(),
            Self::Pause(PauseFor::Minutes(minutes)) => format!("pause/{minutes}"),
            Self::Pause(PauseFor::UntilTomorrow) => "pause/tomorrow".to_owned(),
            Self::Pause(PauseFor::UntilResumed) => "pause/resumed".to_owned(),
            Self::Resume => "resume".to_owned(),
            Self::Settings => "settings".to_owned(),
            Self::Quit => "quit".to_owned(),
        }
    }

    /// The action of that name.
    pub fn from_id(id: &str) -> Option<Self> {
        Some(match id.split_once('/') {
            None => match id {
                "open" => Self::Open,
                "check" => Self::CheckNow,
                "resume" => Self::Resume,
                "settings" => Self::Settings,
                "quit" => Self::Quit,
                _ => return None,
            },
            Some(("service", id)) => Self::OpenService(ServiceId::new(id).ok()?),
            Some(("pause", "tomorrow")) => Self::Pause(PauseFor::UntilTomorrow),
            Some(("pause", "resumed")) => Self::Pause(PauseFor::UntilResumed),
            Some(("pause", minutes)) => Self::Pause(PauseFor::Minutes(minutes.parse().ok()?)),
            Some(_) => return None,
        })
    }
}

/// The tray icon for a state.
pub fn tray(snapshot: &Snapshot) -> TrayView {
    TrayView { icon: icon(snapshot), tooltip: tooltip(snapshot), menu: menu(snapshot) }
}

fn icon(snapshot: &Snapshot) -> Icon {
    match snapshot.summary.overall {
        Overall::Healthy => Icon::Healthy,
        Overall::Degraded => Icon::Degraded,
        Overall::Unhealthy => {
            Icon::Unhealthy(u8::try_from(snapshot.summary.root_causes).unwrap_or(10).clamp(1, 10))
        }
        Overall::Unknown => Icon::Unknown,
        Overall::Offline => Icon::Offline,
        Overall::Paused => Icon::Paused,
    }
}

fn tooltip(snapshot: &Snapshot) -> String {
    let summary = &snapshot.summary;
    if summary.detail.is_empty() {
        cut(&summary.headline)
    } else {
        cut(&format!("{}\n{}", summary.headline, summary.detail))
    }
}

/// At most what Windows shows, cut at a character.
fn cut(text: &str) -> String {
    if text.encode_utf16().count() <= TOOLTIP_UNITS {
        return text.to_owned();
    }
    let mut units = 1; // the ellipsis
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= TOOLTIP_UNITS
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

fn menu(snapshot: &Snapshot) -> Vec<Item> {
    let mut menu = vec![
        Item::Action(Action::Open, "Open Pilotlight".to_owned()),
        Item::Separator,
        Item::Label(snapshot.summary.headline.clone()),
    ];
    let down: Vec<_> =
        snapshot.services.iter().filter(|s| s.status == ServiceStatus::Unhealthy).collect();
    for service in down.iter().take(LISTED) {
        let action = Action::OpenService(service.id.clone());
        menu.push(Item::Action(action, format!("    {}", service.name)));
    }
    if down.len() > LISTED {
        menu.push(Item::Label(format!("    and {} more", down.len() - LISTED)));
    }
    menu.push(Item::Separator);
    menu.push(Item::Action(Action::CheckNow, "Check now".to_owned()));
    menu.push(if snapshot.pause.is_some() {
        Item::Action(Action::Resume, "Resume".to_owned())
    } else {
        Item::Submenu("Pause".to_owned(), pauses())
    });
    menu.push(Item::Action(Action::Settings, "Settings".to_owned()));
    menu.push(Item::Separator);
    menu.push(Item::Action(Action::Quit, "Quit".to_owned()));
    menu
}

fn pauses() -> Vec<Item> {
    [
        (PauseFor::Minutes(15), "15 minutes"),
        (PauseFor::Minutes(60), "1 hour"),
        (PauseFor::UntilTomorrow, "Until tomorrow"),
        (PauseFor::UntilResumed, "Until resumed"),
    ]
    .map(|(lasting, text)| Item::Action(Action::Pause(lasting), text.to_owned()))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use health::Summary;

    fn snapshot(overall: Overall, root_causes: usize) -> Snapshot {
        let summary =
            Summary { overall, root_causes, headline: "Line".into(), detail: String::new() };
        Snapshot { summary, ..Snapshot::default() }
    }

    #[test]
    fn the_icon_counts_root_causes() {
        for (roots, shown) in [(0, 1), (1, 1), (9, 9), (10, 10), (300, 10)] {
            assert_eq!(tray(&snapshot(Overall::Unhealthy, roots)).icon, Icon::Unhealthy(shown));
        }
        assert_eq!(tray(&snapshot(Overall::Offline, 0)).icon, Icon::Offline);
    }

    #[test]
    fn a_tooltip_fits_windows() {
        let long = "ä😀".repeat(100);
        let cut = cut(&long);
        assert!(cut.encode_utf16().count() <= TOOLTIP_UNITS);
        assert!(cut.ends_with('…'));
        assert_eq!(super::cut("short"), "short");
    }

    #[test]
    fn every_action_survives_the_native_menu() {
        fn actions(items: &[Item]) -> Vec<Action> {
            items
                .iter()
                .flat_map(|item| match item {
                    Item::Action(action, _) => vec![action.clone()],
                    Item::Submenu(_, items) => actions(items),
                    Item::Label(_) | Item::Separator => vec![],
                })
                .collect()
        }
        let mut paused = snapshot(Overall::Paused, 0);
        paused.pause = Some(health::Pause { until: None });
        for action in
            [actions(&menu(&snapshot(Overall::Healthy, 0))), actions(&menu(&paused))].concat()
        {
            assert_eq!(Action::from_id(&action.id()), Some(action));
        }
        assert_eq!(Action::from_id("service/Not An Id"), None);
    }
}
