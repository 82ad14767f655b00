//! When changes may be made: `mon-fri 08:00-16:00`, in UTC.
//!
//! It must not know what time it is.

use chrono::{DateTime, Datelike as _, Timelike as _, Weekday};
use topology::observed::Timestamp;

/// Days of the week and a time of day, in UTC. The end is exclusive; a window does not cross midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    days: Vec<Weekday>,
    from_minute: u32,
    to_minute: u32,
}

/// A text that is not a [`Window`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a window: write `mon-fri 08:00-16:00` or `sat,sun 00:00-24:00`, in UTC")]
pub struct InvalidWindow {
    text: String,
}

impl Window {
    /// Reads `mon-fri 08:00-16:00`.
    pub fn parse(text: &str) -> Result<Self, InvalidWindow> {
        Self::read(text).ok_or_else(|| InvalidWindow {
            text: text.to_owned(),
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (days, times) = text.split_once(' ')?;
        let (from, to) = times.split_once('-')?;
        let window = Self {
            days: days_of(days)?,
            from_minute: minute(from)?,
            to_minute: minute(to)?,
        };
        (window.from_minute < window.to_minute).then_some(window)
    }

    /// Whether the time is inside the window.
    pub fn is_open(&self, now: Timestamp) -> bool {
        DateTime::from_timestamp_millis(now.0).is_some_and(|now| {
            let minute = now.hour() * 60 + now.minute();
            self.days.contains(&now.weekday())
                && (self.from_minute..self.to_minute).contains(&minute)
        })
    }
}

fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (
            first.parse::<Weekday>().ok()?,
            last.parse::<Weekday>().ok()?,
        );
        days.push(day);
        while day != last {
            day = day.succ();
            days.push(day);
        }
    }
    Some(days)
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour * 60 + minute;
    (minute < 60 && at <= 24 * 60).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday 2026-11-23 at that time, in UTC.
    fn monday(hour: i64, minute: i64) -> Timestamp {
        Timestamp(1_795_392_000_000 + (hour * 60 + minute) * 60_000)
    }

    #[test]
    fn a_window_is_open_on_its_days_from_its_first_minute_to_before_its_last() {
        let work_hours = Window::parse("mon-fri 08:00-16:00").unwrap();
        assert!(!work_hours.is_open(monday(7, 59)));
        assert!(work_hours.is_open(monday(8, 0)));
        assert!(work_hours.is_open(monday(15, 59)));
        assert!(!work_hours.is_open(monday(16, 0)));
        let weekend = Window::parse("sat,sun 00:00-24:00").unwrap();
        assert!(!weekend.is_open(monday(12, 0)));
        assert!(weekend.is_open(monday(-1, 0)), "Sunday evening");
        let around = Window::parse("fri-mon 00:00-24:00").unwrap();
        assert!(around.is_open(monday(12, 0)));
        assert!(!around.is_open(monday(36, 0)), "Tuesday");
    }

    #[test]
    fn what_is_not_a_window_is_refused() {
        for text in [
            "",
            "mon",
            "mon 8:00-16:00",
            "mon 16:00-08:00",
            "mon 08:00-25:00",
            "mon 08:60-16:00",
            "xyz 08:00-16:00",
            "mon 08:00",
            "mon 00:00-24:01",
        ] {
            assert!(Window::parse(text).is_err(), "{text}");
        }
    }
}
