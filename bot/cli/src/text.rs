//! Counts and durations as people read them.

use topology::observed::Timestamp;

/// `1 site`, `2 sites`, `2 deliveries`.
pub(crate) fn counted(count: impl TryInto<i64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(i64::MAX);
    let (stem, plural) = match noun.strip_suffix('y') {
        Some(stem) if count != 1 => (stem, "ies"),
        Some(_) | None if count == 1 => (noun, ""),
        Some(_) | None => (noun, "s"),
    };
    format!("{count} {stem}{plural}")
}

/// `40 s`, `3 min`, `5 h`, `2 days`.
pub(crate) fn duration(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", seconds / 60),
        6_000..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `3 min ago`.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> String {
    format!("{} ago", duration(now.0 - at.0))
}
