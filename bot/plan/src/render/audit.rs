//! The audit as a table, plane by plane. Must not know the steps.

use super::words::span;
use crate::audit::{AuditLine, AuditStatus};

/// One row for each plane, and for each undeclared subnet.
pub(super) fn audit_table(lines: &[AuditLine]) -> String {
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
