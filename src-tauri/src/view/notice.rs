//! Notifications of what is announced.

use health::{Event, IncidentId, Notice, NoticeKind, ServiceId};

/// One desktop notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// First line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// Takes the place of the one with the same key.
    pub key: Key,
    /// Stays until it is looked at.
    pub critical: bool,
    /// Whom "Mute 1 h" is for.
    pub service: ServiceId,
    /// What a click opens: a page of the window.
    pub page: String,
}

/// What a notification is about; a recovery replaces its incident's one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// An outage.
    Incident(IncidentId),
    /// A service that can not make up its mind.
    Flapping(ServiceId),
}

/// What a person wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// Anything at all.
    pub notifications: bool,
    /// That a service is up again.
    pub recovery: bool,
}

/// The notification an event asks for, if any.
pub fn notification(event: &Event, wishes: Wishes) -> Option<Notification> {
    let Event::Announced(notice) = event else { return None };
    let Notice { service, incident, kind, title, body, .. } = notice;
    if !wishes.notifications || (*kind == NoticeKind::Recovered && !wishes.recovery) {
        return None;
    }
    let (key, page) = match incident {
        Some(id) => (Key::Incident(*id), format!("/incident/{id}")),
        None => (Key::Flapping(service.clone()), format!("/service/{service}")),
    };
    Some(Notification {
        title: title.clone(),
        body: body.clone(),
        key,
        critical: *kind == NoticeKind::Down,
        service: service.clone(),
        page,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use health::Timestamp;

    fn announced(kind: NoticeKind, incident: Option<IncidentId>) -> Event {
        Event::Announced(Notice {
            at: Timestamp(0),
            service: ServiceId::new("db").expect("an id"),
            incident,
            kind,
            title: "PostgreSQL is down".into(),
            body: "connection refused.".into(),
        })
    }

    const ALL: Wishes = Wishes { notifications: true, recovery: true };

    #[test]
    fn a_recovery_takes_the_place_of_its_outage() {
        let down = notification(&announced(NoticeKind::Down, Some(7)), ALL).expect("shown");
        let up = notification(&announced(NoticeKind::Recovered, Some(7)), ALL).expect("shown");
        assert_eq!(down.key, up.key);
        assert_eq!(down.page, "/incident/7");
        assert!(down.critical && !up.critical);
    }

    #[test]
    fn wishes_are_respected() {
        let quiet = Wishes { notifications: false, ..ALL };
        assert_eq!(notification(&announced(NoticeKind::Down, Some(7)), quiet), None);
        let outages_only = Wishes { recovery: false, ..ALL };
        assert_eq!(notification(&announced(NoticeKind::Recovered, Some(7)), outages_only), None);
        assert!(notification(&announced(NoticeKind::Flapping, None), outages_only).is_some());
    }
}
