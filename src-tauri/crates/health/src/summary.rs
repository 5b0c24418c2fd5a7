use crate::fleet::{Fleet, Tally};
use crate::status::{Overall, ServiceStatus};
use crate::words::services;

/// The first line of window, tooltip and menu: is everything all right, and if
/// not, what is it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The state of everything.
    pub overall: Overall,
    /// Independent outages: incidents that no other incident explains.
    pub root_causes: usize,
    /// "PostgreSQL is down, 5 services affected"
    pub headline: String,
    /// "the other 36 services are healthy"
    pub detail: String,
}

impl Fleet {
    /// The first line of window, tooltip and menu; muted services do not count.
    pub fn summary(&self, offline: bool) -> Summary {
        let tally = self.tally();
        let overall = if self.pause_all().is_some() && !tally.is_empty() {
            Overall::Paused
        } else {
            Overall::of(tally.statuses(), offline)
        };
        let name = |id| self.service(id).map_or("", |state| state.member.name.as_str());
        let headline = match overall {
            Overall::Unhealthy => {
                outage(tally.roots().map(name), tally.count(ServiceStatus::Unhealthy))
            }
            Overall::Degraded => degraded(tally.slow().map(name)),
            Overall::Healthy => "Everything is healthy".to_owned(),
            Overall::Offline => "This computer is offline".to_owned(),
            Overall::Paused => "Checks are paused".to_owned(),
            Overall::Unknown if tally.is_empty() => "No services yet".to_owned(),
            Overall::Unknown => "Waiting for first results".to_owned(),
        };
        let root_causes = tally.roots().len();
        Summary { overall, root_causes, headline, detail: detail(overall, tally) }
    }
}

/// The first names, at most as many as are ever said.
fn first<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.take(2).collect()
}

fn outage<'a>(roots: impl ExactSizeIterator<Item = &'a str>, down: usize) -> String {
    let count = roots.len();
    let who = match (first(roots).as_slice(), count) {
        ([], _) => return format!("{} down", services(down)),
        ([one], _) => format!("{one} is down"),
        ([one, two], 2) => format!("{one} and {two} are down"),
        ([one, ..], _) => format!("{one} and {} others are down", count - 1),
    };
    let affected = down - count;
    if affected == 0 { who } else { format!("{who}, {} affected", services(affected)) }
}

fn degraded<'a>(slow: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = slow.len();
    match (first(slow).as_slice(), count) {
        ([one], 1) => format!("{one} is slow"),
        ([one, two], 2) => format!("{one} and {two} are slow"),
        _ => format!("{} are slow", services(count)),
    }
}

/// What the headline leaves out: how the rest is, by number.
fn detail(overall: Overall, tally: &Tally) -> String {
    let healthy = tally.count(ServiceStatus::Healthy);
    let rest = match overall {
        Overall::Healthy => services(healthy),
        Overall::Offline => "services beyond it are not observed".to_owned(),
        _ if healthy == 0 => String::new(),
        Overall::Unhealthy | Overall::Degraded if healthy == 1 => {
            "the other service is healthy".to_owned()
        }
        Overall::Unhealthy | Overall::Degraded => {
            format!("the other {healthy} services are healthy")
        }
        Overall::Unknown | Overall::Paused => format!("{healthy} healthy"),
    };
    let slow = match overall {
        Overall::Unhealthy => tally.count(ServiceStatus::Degraded),
        _ => 0,
    };
    let extras = [
        (slow, "slow"),
        (tally.count(ServiceStatus::Unknown), "not known"),
        (tally.count(ServiceStatus::Paused), "paused"),
        (tally.muted(), "muted"),
    ];
    let extras = extras.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    std::iter::once(rest).filter(|r| !r.is_empty()).chain(extras).collect::<Vec<_>>().join(" · ")
}
