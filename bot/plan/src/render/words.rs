//! Steps as single lines, and escaping of untrusted text.

use std::collections::BTreeSet;

use topology::object::Object;
use topology::observed::Timestamp;

use super::fields::change;
use super::object::{object, shortened};
use crate::plan::Plan;
use crate::step::Step;

/// How many steps of a plan add, make again, change and remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SignCounts {
    pub(super) add: usize,
    pub(super) again: usize,
    pub(super) change: usize,
    pub(super) remove: usize,
}

impl SignCounts {
    pub(super) fn of(plan: &Plan, steps: &[&Step]) -> Self {
        let mut counts = Self::default();
        for step in steps {
            match sign_in(plan, step) {
                '+' => counts.add += 1,
                '=' => counts.again += 1,
                '-' => counts.remove += 1,
                _ => counts.change += 1,
            }
        }
        counts
    }
}

/// `+`, `!` or `-`, which GitHub colours in a diff.
fn sign_of(step: &Step) -> char {
    match (&step.expects, &step.leaves) {
        (None, _) => '+',
        (Some(_), Some(_)) => '!',
        (Some(_), None) => '-',
    }
}

/// The sign of a step in its plan: `=` if it makes what is there already.
pub(super) fn sign_in(plan: &Plan, step: &Step) -> char {
    if plan.notes.again.contains(&step.id) {
        '='
    } else {
        sign_of(step)
    }
}

/// A step on one line: sign, object, change, reason.
pub fn line(step: &Step) -> String {
    written(sign_of(step), step, "")
}

/// The same with what its plan knows besides: host names of racks, and what is there now.
pub fn step_line(plan: &Plan, step: &Step) -> String {
    let now = if plan.notes.again.contains(&step.id) {
        "is there now, and made again after the gate".to_owned()
    } else {
        let links = plan.notes.links_now.get(&step.id);
        links.map_or_else(String::new, |links| format!("now {links}"))
    };
    written(sign_in(plan, step), &plan.notes.named(step), &now)
}

fn written(sign: char, step: &Step, now: &str) -> String {
    let what = match (&step.expects, &step.leaves) {
        (None, Some(after)) => object(after),
        (Some(before), None) => object(before),
        (Some(before), Some(after)) => change(before, after),
        (None, None) => String::new(),
    };
    let plane = step
        .plane
        .as_ref()
        .map(|plane| format!("  [{plane}]"))
        .unwrap_or_default();
    let reasons: Vec<&str> = [step.why.as_str(), now]
        .into_iter()
        .filter(|reason| !reason.is_empty())
        .collect();
    let why = if reasons.is_empty() {
        String::new()
    } else {
        format!("  # {}", reasons.join("; "))
    };
    clean(&format!("{sign} {what}{plane}{why}"))
}

/// A step on one line, without its plane and reason.
pub(crate) fn line_without_reason(step: &Step) -> String {
    line(&Step {
        plane: None,
        why: String::new(),
        ..step.clone()
    })
}

/// Host names of the machines that a plan touches.
pub(crate) fn machines(plan: &Plan) -> BTreeSet<String> {
    let carved =
        plan.steps.iter().filter_map(
            |step| match step.leaves.as_ref().or(step.expects.as_ref()) {
                Some(Object::Link(link)) => Some(link.host.clone()),
                Some(Object::Interface(interface)) => Some(interface.host.clone()),
                _ => None,
            },
        );
    let named = plan
        .gates
        .iter()
        .filter_map(|gate| gate.values.get("machines"));
    carved
        .chain(named.flat_map(|list| list.lines().map(str::to_owned)))
        .collect()
}

/// Untrusted text on one line: control characters, and invisible ones that hide text, become `?`.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' | '\u{fe00}'..='\u{fe0f}');
            if c.is_control() || hidden { '?' } else { c }
        })
        .collect()
}

/// An untrusted name inside a sentence: on one line, shortened, in a code span that it cannot end.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", shortened(&clean(name).replace('`', "'")))
}

/// Escapes a sentence that quotes untrusted names. Each quoted part is in backticks already; the rest can neither mention
/// people nor link.
pub(crate) fn escaped(text: &str) -> String {
    clean(text)
        .replace('@', "@\u{2060}")
        .replace('<', "&lt;")
        .replace('[', "\\[")
        .replace('#', "\\#")
}

/// Text as a code span that it cannot end, also in a table.
pub fn span(text: &str) -> String {
    let text = clean(text).replace('|', "\u{2502}");
    let ticks = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// Text as a fenced code block that it cannot end.
pub fn fence(language: &str, text: &str) -> String {
    let ticks = "`".repeat(longest_run(text).max(2) + 1);
    format!(
        "{ticks}{language}\n{}\n{ticks}\n",
        text.trim_end_matches('\n')
    )
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// A count with its noun, in the plural unless it is 1.
pub(crate) fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

/// A task's letter: (a), (b), …
pub fn letter(at: usize) -> String {
    let letter = u8::try_from(at)
        .ok()
        .and_then(|at| b'a'.checked_add(at))
        .filter(u8::is_ascii_lowercase);
    letter.map_or_else(
        || format!("({})", at + 1),
        |letter| format!("({})", char::from(letter)),
    )
}

/// `2026-11-23 14:02:11Z`.
pub fn utc(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Converts days to a date of the proleptic Gregorian calendar.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 {
        month_shifted + 3
    } else {
        month_shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_its_span_or_fence() {
        assert_eq!(span("a`b"), "``a`b``");
        assert_eq!(span("`"), "`` ` ``");
        assert_eq!(span("a|b\nc"), "`a\u{2502}b?c`");
        assert_eq!(fence("diff", "```\nx"), "````diff\n```\nx\n````\n");
        assert_eq!(clean("a\u{202e}b\u{e0041}\u{200b}"), "a?b??");
    }

    #[test]
    fn a_time_is_shown_in_utc() {
        assert_eq!(utc(Timestamp(0)), "1970-01-01 00:00:00Z");
        assert_eq!(utc(Timestamp(1_795_442_531_000)), "2026-11-23 14:02:11Z");
        assert_eq!(utc(Timestamp(951_782_400_000)), "2000-02-29 00:00:00Z");
    }
}
