use health::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Where a calendar day begins and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The time zone of this machine; UTC where it cannot be found out.
    pub fn local() -> Self {
        Self(TimeZone::system())
    }

    /// Coordinated Universal Time.
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The calendar day of a moment.
    pub(crate) fn date(&self, at: Timestamp) -> Date {
        moment(at).to_zoned(self.0.clone()).date()
    }

    /// When a calendar day begins: mostly, but not everywhere, at 00:00.
    pub(crate) fn start_of(&self, date: Date) -> Timestamp {
        date.to_zoned(self.0.clone())
            .and_then(|day| day.start_of_day())
            .map_or_else(|_| edge_of_time(date), |day| Timestamp(day.timestamp().as_millisecond()))
    }
}

impl From<TimeZone> for Zone {
    fn from(zone: TimeZone) -> Self {
        Self(zone)
    }
}

/// The `count` calendar days up to and with `last`, newest first.
pub(crate) fn days_back(last: Date, count: u32) -> impl Iterator<Item = Date> {
    (0..i64::from(count)).map(move |days| last.saturating_sub(days.days()))
}

/// The day after.
pub(crate) fn next_day(date: Date) -> Date {
    date.saturating_add(1.day())
}

fn moment(at: Timestamp) -> jiff::Timestamp {
    let edge = if at.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(edge)
}

fn edge_of_time(date: Date) -> Timestamp {
    Timestamp(if date.year() < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours_of(zone: &Zone, date: Date) -> i64 {
        zone.start_of(next_day(date)).since(zone.start_of(date)) / 3_600_000
    }

    #[test]
    fn days_are_as_long_as_the_zone_says() {
        let berlin = Zone(TimeZone::get("Europe/Berlin").expect("time zone database"));
        assert_eq!(hours_of(&berlin, jiff::civil::date(2025, 3, 30)), 23);
        assert_eq!(hours_of(&berlin, jiff::civil::date(2025, 10, 26)), 25);
        assert_eq!(hours_of(&Zone::utc(), jiff::civil::date(2025, 3, 30)), 24);
    }

    #[test]
    fn a_day_without_midnight_begins_when_it_begins() {
        let zone = Zone(TimeZone::get("America/Sao_Paulo").expect("time zone database"));
        let date = jiff::civil::date(2018, 11, 4);
        assert_eq!(zone.date(zone.start_of(date)), date);
        assert_eq!(zone.date(zone.start_of(date) + -1), jiff::civil::date(2018, 11, 3));
    }

    #[test]
    fn no_moment_is_too_far() {
        for at in [i64::MIN, -1, 0, i64::MAX] {
            let zone = Zone::utc();
            let _ = zone.start_of(next_day(zone.date(Timestamp(at))));
        }
    }
}
