use crate::fleet::{Fleet, ServiceState};
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
    /// The first line of window, tooltip and menu.
    pub fn summary(&self, offline: bool) -> Summary {
        Summary::of(self.services(), offline, self.pause_all().is_some())
    }
}

impl Summary {
    /// Sums up all services; muted ones do not count.
    pub fn of<'a>(
        services: impl IntoIterator<Item = &'a ServiceState>,
        offline: bool,
        all_paused: bool,
    ) -> Self {
        let services: Vec<_> = services.into_iter().collect();
        let counted: Vec<_> = services.iter().copied().filter(|s| !s.is_muted()).collect();
        let overall = if all_paused && !services.is_empty() {
            Overall::Paused
        } else {
            Overall::of(counted.iter().map(|s| s.status), offline)
        };
        let down: Vec<_> =
            counted.iter().copied().filter(|s| s.status == ServiceStatus::Unhealthy).collect();
        let mut roots: Vec<_> = down.iter().copied().filter(|s| s.caused_by().is_none()).collect();
        roots.sort_by_key(|s| (s.incident.as_ref().map(|i| i.started_at), &s.member.id));
        let headline = match overall {
            Overall::Unhealthy => outage(&roots, &down),
            Overall::Degraded => degraded(&counted),
            Overall::Healthy => "Everything is healthy".to_owned(),
            Overall::Offline => "This computer is offline".to_owned(),
            Overall::Paused => "Checks are paused".to_owned(),
            Overall::Unknown if services.is_empty() => "No services yet".to_owned(),
            Overall::Unknown => "Waiting for first results".to_owned(),
        };
        Self { overall, root_causes: roots.len(), headline, detail: detail(overall, &services) }
    }
}

fn outage(roots: &[&ServiceState], down: &[&ServiceState]) -> String {
    let affected = down.len() - roots.len();
    let who = match roots {
        [] => return format!("{} down", services(down.len())),
        [one] => format!("{} is down", one.member.name),
        [one, two] => format!("{} and {} are down", one.member.name, two.member.name),
        [first, rest @ ..] => format!("{} and {} others are down", first.member.name, rest.len()),
    };
    if affected == 0 { who } else { format!("{who}, {} affected", services(affected)) }
}

fn degraded(counted: &[&ServiceState]) -> String {
    let slow: Vec<_> = counted.iter().filter(|s| s.status == ServiceStatus::Degraded).collect();
    match slow.as_slice() {
        [one] => format!("{} is slow", one.member.name),
        [one, two] => format!("{} and {} are slow", one.member.name, two.member.name),
        _ => format!("{} are slow", services(slow.len())),
    }
}

/// What the headline leaves out: how the rest is, by number.
fn detail(overall: Overall, all: &[&ServiceState]) -> String {
    let count = |status| all.iter().filter(|s| s.status == status && !s.is_muted()).count();
    let muted = all.iter().filter(|s| s.is_muted()).count();
    let healthy = count(ServiceStatus::Healthy);
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
        Overall::Unhealthy => count(ServiceStatus::Degraded),
        _ => 0,
    };
    let extras = [
        (slow, "slow"),
        (count(ServiceStatus::Unknown), "not known"),
        (count(ServiceStatus::Paused), "paused"),
        (muted, "muted"),
    ];
    let extras = extras.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    std::iter::once(rest).filter(|r| !r.is_empty()).chain(extras).collect::<Vec<_>>().join(" · ")
}
