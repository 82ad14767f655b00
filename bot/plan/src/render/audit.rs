//! The audit as a table, plane by plane. Must not know the steps.

use super::words::span;
use crate::audit::{AuditLine, AuditStatus};

/// From this many lines on, a plan counts the planes that are as declared instead of listing them.
const SKIPS_SHOWN: usize = 20;

/// The audit, one line for each plane, and what each status says.
pub fn audit_text(lines: &[AuditLine]) -> String {
    let rows: String = lines.iter().map(|line| format!("{line}\n")).collect();
    rows + &meanings(lines, "  ")
}

/// The same beside a plan's changes: many planes that are as declared are only counted.
pub(super) fn audit_of_plan(lines: &[AuditLine]) -> String {
    let skips = lines.iter().filter(|line| is_skip(line)).count();
    if skips <= SKIPS_SHOWN {
        return audit_text(lines);
    }
    let rows: String = lines
        .iter()
        .filter(|line| !is_skip(line))
        .map(|line| format!("{line}\n"))
        .collect();
    format!(
        "{rows}{:<10} {skips} planes, which `planebot audit` lists\n{}",
        AuditStatus::Skip.word(),
        meanings(lines, "  ")
    )
}

/// One line for each status that occurs.
fn meanings(lines: &[AuditLine], indent: &str) -> String {
    AuditStatus::ALL
        .into_iter()
        .filter(|status| lines.iter().any(|line| line.standing == *status))
        .map(|status| format!("{indent}{}: {}\n", status.word(), status.meaning()))
        .collect()
}

fn is_skip(line: &AuditLine) -> bool {
    line.standing == AuditStatus::Skip
}

/// The audit in a comment: a table, and what each status says.
pub(super) fn audit_markdown(lines: &[AuditLine]) -> String {
    format!("{}\n{}", audit_table(lines), meanings(lines, "- "))
}

/// The same without the lines of these statuses, which are counted.
pub(super) fn shorter_markdown(lines: &[AuditLine], cut: &[AuditStatus]) -> String {
    let kept: Vec<AuditLine> = lines
        .iter()
        .filter(|line| !cut.contains(&line.standing))
        .cloned()
        .collect();
    let counts: Vec<String> = cut.iter().filter_map(|it| counted(lines, *it)).collect();
    let note = match counts.as_slice() {
        [] => String::new(),
        counts => format!(
            "Not listed here: {}. `planebot audit` lists them.\n",
            counts.join(", ")
        ),
    };
    if kept.is_empty() {
        return note;
    }
    format!("{}\n{note}", audit_markdown(&kept))
}

/// `593 SKIP (its network …)`; nothing if no line has that status.
fn counted(lines: &[AuditLine], status: AuditStatus) -> Option<String> {
    let count = lines.iter().filter(|line| line.standing == status).count();
    (count > 0).then(|| format!("{count} {} ({})", status.word(), status.meaning()))
}

/// One row for each plane, and for each undeclared subnet.
fn audit_table(lines: &[AuditLine]) -> String {
    let mut out =
        "| | plane | CIDR | VLAN | fabric id | VLAN id | in use | changes |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for line in lines {
        let what = match (&line.held_by, line.from, line.cidr) {
            (_, _, None) => "–".to_owned(),
            (Some(holder), _, Some(cidr)) => format!(
                "{}: {}",
                span(&cidr.to_string()),
                span(&format!("{holder} -> {}", line.name))
            ),
            (None, Some(from), Some(cidr)) => span(&format!("{from} -> {cidr}")),
            (None, None, Some(cidr)) => span(&cidr.to_string()),
        };
        let id = |id: Option<u64>| id.map_or_else(|| "new".to_owned(), |id| id.to_string());
        let used = line
            .allocations
            .map_or_else(|| "–".to_owned(), |count| count.to_string());
        let changes = match line.steps {
            0 => "–".to_owned(),
            steps => steps.to_string(),
        };
        let mark = if line.standing == AuditStatus::Skip {
            "SKIP".to_owned()
        } else {
            format!("**{}**", line.standing.word())
        };
        out.push_str(&format!(
            "| {mark} | {} | {what} | {} | {} | {} | {used} | {changes} |\n",
            span(&line.name),
            line.vlan
                .as_ref()
                .map_or_else(|| "a space".to_owned(), |vlan| span(&vlan.to_string())),
            id(line.fabric_id),
            id(line.vlan_id),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_without_a_subnet_has_a_dash() {
        let line = |cidr: Option<&str>| AuditLine {
            standing: AuditStatus::Skip,
            name: "spare".to_owned(),
            cidr: cidr.map(|cidr| cidr.parse().unwrap()),
            from: None,
            held_by: None,
            vlan: Some(topology::object::VlanAt {
                fabric: "blue".to_owned(),
                vid: 50,
            }),
            fabric_id: Some(1),
            vlan_id: None,
            allocations: None,
            steps: 0,
        };
        let table = audit_table(&[line(None), line(Some("192.0.2.0/24"))]);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| SKIP | `spare` | – | `blue/50` | 1 | new | – | – |",
                "| SKIP | `spare` | `192.0.2.0/24` | `blue/50` | 1 | new | – | – |",
            ]
        );
    }
}
