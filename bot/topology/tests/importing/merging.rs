//! Importing into existing files: what differs is changed, and every other byte stays the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use topology::observed::Observed;
use topology::write::{ImportOptions, MergeConflict, files, merged};

use crate::hostile::any_maas;
use crate::{checked, layouts, represents, sources};

type Texts = BTreeMap<String, String>;

fn options(drop_gone: bool) -> ImportOptions {
    ImportOptions {
        adopt: Vec::new(),
        drop_gone,
    }
}

/// The files after an import over them.
fn over(
    before: &Texts,
    observed: &Observed,
    options: &ImportOptions,
) -> Result<Texts, Vec<MergeConflict>> {
    let mut after = before.clone();
    for (path, text) in merged(observed, "site", &sources(before), options)? {
        match text {
            Some(text) => after.insert(path, text),
            None => after.remove(&path),
        };
    }
    Ok(after)
}

/// With what people add: comments in every place, quotes, blank lines, and no end to the last line.
fn by_hand(texts: &Texts) -> Texts {
    let dressed = |text: &String| {
        let mut out = String::from("# the head of the file\n");
        for (number, line) in text.lines().enumerate().skip(1) {
            let indent = line.len() - line.trim_start().len();
            if number % 3 == 0 {
                out.push_str(&format!("\n{}# above {number}\n", " ".repeat(indent)));
            }
            let comment = if line.contains(" #") || line.starts_with('#') || number % 2 == 0 {
                String::new()
            } else {
                format!("   # beside {number}")
            };
            out.push_str(&format!("{line}{comment}\n"));
        }
        out.push_str("# the foot");
        out
    };
    texts
        .iter()
        .map(|(path, text)| (path.clone(), dressed(text)))
        .collect()
}

fn comments(text: &str) -> Vec<&str> {
    let all = text
        .lines()
        .filter_map(|line| Some(line.get(line.rfind("# ")?..)?.trim_end()));
    all.filter(|comment| {
        ["# above", "# beside", "# the"]
            .iter()
            .any(|ours| comment.starts_with(ours))
    })
    .collect()
}

/// After an import over them the files are sound, say what MAAS has, hold every comment, and are left alone by the next.
fn hold(before: &Texts, observed: &Observed, real: bool) -> Result<Texts, String> {
    let after = over(before, observed, &options(true)).map_err(|refused| {
        let rendered: Vec<String> = refused.iter().map(ToString::to_string).collect();
        rendered.join("\n")
    })?;
    let checked = checked(&after);
    let topology = checked
        .topology
        .ok_or_else(|| format!("{:#?}", checked.findings))?;
    represents(&topology, observed, real, true);
    for (path, text) in before.iter().filter(|(path, _)| after.contains_key(*path)) {
        let (mut was, mut is) = (comments(text), comments(&after[path]));
        was.sort_unstable();
        is.sort_unstable();
        assert_eq!(was, is, "{path}\n{text}\n---\n{}", after[path]);
    }
    let again = over(&after, observed, &options(true)).unwrap();
    assert!(again == after, "{after:#?}\n{again:#?}");
    Ok(after)
}

#[test]
fn a_second_import_changes_no_byte() {
    for (name, layout) in layouts::all() {
        let observed = layouts::observed(&layout);
        let first = files(&observed, "site");
        for before in [first.clone(), by_hand(&first)] {
            let rendered = |why: Vec<MergeConflict>| format!("{name}: {why:#?}");
            let after = over(&before, &observed, &options(false))
                .map_err(rendered)
                .unwrap();
            assert!(after == before, "{name}");
        }
    }
}

/// The recorded changes, made in MAAS behind the back of the files.
#[test]
fn changes_in_maas_are_written_to_the_files_and_comments_stay() {
    let layouts = layouts::all();
    for (name, layout) in &layouts {
        let Some(stem) = name.strip_suffix(".before.json") else {
            continue;
        };
        let after = layouts::observed(&layouts[&format!("{stem}.after.json")]);
        let first = files(&layouts::observed(layout), "site");
        for before in [first.clone(), by_hand(&first)] {
            hold(&before, &after, true)
                .map_err(|why| format!("{name}: {why}"))
                .unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_import_of_any_maas_changes_no_byte(observed in any_maas()) {
        let before = by_hand(&files(&observed, "site"));
        prop_assert_eq!(over(&before, &observed, &options(false)), Ok(before));
    }

    /// From any network to any other: merged as the law wants it, or refused with the file and the line.
    #[test]
    fn any_maas_can_be_imported_over_any_files(was in any_maas(), is in any_maas()) {
        let before = by_hand(&files(&was, "site"));
        match over(&before, &is, &options(true)) {
            Ok(_) => { hold(&before, &is, false).unwrap(); }
            Err(refused) => for why in refused {
                prop_assert!(before.contains_key(&why.file) && why.line > 0, "{}", why);
                prop_assert!(!why.what.contains("two changes meet"), "{}", why);
            },
        }
    }
}

/// One plane as people write it, and the MAAS that it describes.
const DESKS: &str = "\
# Desks and everything on them.
plane: desks      # not the phones
fabric: 'blue'
vid: 20

cidr: 192.0.2.0/24
name: \"old desks\"
gateway: 192.0.2.1   # in full, because the printer manual says so
dns: [+2, 192.0.2.3, other+9]

# Addresses that are given away.
reserve:
  - {name: printers, range: 192.0.2.10-192.0.2.19}   # third floor
  # bob's
  - range: +40..+49   # no name

  - name: \"pool\"
    purpose: dynamic
    range: +100..+199
";

const OTHER: &str = "plane: other\nfabric: blue\ncidr: 198.51.100.0/24\n";

fn desks() -> Value {
    let range = |start: &str, end: &str, kind: &str, comment: &str| json!({"start": start, "end": end, "type": kind, "comment": comment});
    json!({"fabrics": [{"name": "blue", "vlans": [
        {"vid": 0, "subnets": [{"cidr": "198.51.100.0/24", "name": "other"}]},
        {"vid": 20, "subnets": [{"cidr": "192.0.2.0/24", "name": "old desks", "gateway": "192.0.2.1",
            "dns": ["192.0.2.2", "192.0.2.3", "198.51.100.9"],
            "ranges": [range("192.0.2.10", "192.0.2.19", "reserved", "printers"),
                range("192.0.2.40", "192.0.2.49", "reserved", ""),
                range("192.0.2.100", "192.0.2.199", "dynamic", "pool")]}]}]}]})
}

fn subnet(layout: &mut Value) -> &mut Value {
    &mut layout["fabrics"][0]["vlans"][1]["subnets"][0]
}

fn texts(of: &[(&str, &str)]) -> Texts {
    of.iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

/// What an import changes in `DESKS`, line by line, after `change` in MAAS.
fn lines_changed(change: impl Fn(&mut Value)) -> String {
    let mut layout = desks();
    change(&mut layout);
    let before = texts(&[("desks.yaml", DESKS), ("other.yaml", OTHER)]);
    let after = hold(&before, &layouts::observed(&layout), true).unwrap();
    differences(&before, &after)
}

/// Lines that went and lines that came; files by name where several changed.
fn differences(before: &Texts, after: &Texts) -> String {
    let mut rendered = String::new();
    for path in before
        .keys()
        .chain(after.keys().filter(|path| !before.contains_key(*path)))
    {
        let was: Vec<&str> = before
            .get(path)
            .map(|text| text.lines().collect())
            .unwrap_or_default();
        let is: Vec<&str> = after
            .get(path)
            .map(|text| text.lines().collect())
            .unwrap_or_default();
        let head = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
        let tail = was[head..].iter().rev().zip(is[head..].iter().rev());
        let tail = tail.take_while(|(a, b)| a == b).count();
        for line in &was[head..was.len() - tail] {
            rendered.push_str(&format!("{path} - {line}\n"));
        }
        for line in &is[head..is.len() - tail] {
            rendered.push_str(&format!("{path} + {line}\n"));
        }
    }
    rendered
}

#[test]
fn nothing_is_changed_where_nothing_differs() {
    assert_eq!(lines_changed(|_| {}), "");
}

#[test]
fn an_address_keeps_its_notation() {
    let rendered = lines_changed(|layout| subnet(layout)["gateway"] = json!("192.0.2.254"));
    insta::assert_snapshot!(rendered, @r#"
    desks.yaml - gateway: 192.0.2.1   # in full, because the printer manual says so
    desks.yaml + gateway: 192.0.2.254   # in full, because the printer manual says so
    "#);
    let rendered = lines_changed(|layout| {
        subnet(layout)["dns"] = json!(["192.0.2.4", "192.0.2.3", "198.51.100.7"]);
    });
    insta::assert_snapshot!(rendered, @r#"
    desks.yaml - dns: [+2, 192.0.2.3, other+9]
    desks.yaml + dns: [+4, 192.0.2.3, other+7]
    "#);
    let rendered = lines_changed(|layout| subnet(layout)["dns"] = json!(["192.0.2.3"]));
    insta::assert_snapshot!(rendered, @r#"
    desks.yaml - dns: [+2, 192.0.2.3, other+9]
    desks.yaml + dns: [192.0.2.3]
    "#);
    let rendered = lines_changed(|layout| {
        let ranges = &mut subnet(layout)["ranges"];
        ranges[0]["end"] = json!("192.0.2.29");
        ranges[1]["start"] = json!("192.0.2.41");
    });
    insta::assert_snapshot!(rendered, @r#"
    desks.yaml -   - {name: printers, range: 192.0.2.10-192.0.2.19}   # third floor
    desks.yaml -   # bob's
    desks.yaml -   - range: +40..+49   # no name
    desks.yaml +   - {name: printers, range: 192.0.2.10-192.0.2.29}   # third floor
    desks.yaml +   # bob's
    desks.yaml +   - range: +41..+49   # no name
    "#);
}

#[test]
fn a_name_keeps_its_quotes_and_a_redundant_field_is_removed() {
    let rendered = lines_changed(|layout| {
        subnet(layout)["name"] = json!("it/is: new");
        layout["fabrics"][0]["name"] = json!("light-blue");
    });
    insta::assert_snapshot!(rendered, @r#"
    desks.yaml - fabric: 'blue'
    desks.yaml - vid: 20
    desks.yaml - 
    desks.yaml - cidr: 192.0.2.0/24
    desks.yaml - name: "old desks"
    desks.yaml + fabric: 'light-blue'
    desks.yaml + vid: 20
    desks.yaml + 
    desks.yaml + cidr: 192.0.2.0/24
    desks.yaml + name: "it/is: new"
    other.yaml - fabric: blue
    other.yaml + fabric: light-blue
    "#);
    let told = lines_changed(|layout| subnet(layout)["name"] = json!("desks"));
    insta::assert_snapshot!(told, @r#"
    desks.yaml - name: "old desks"
    "#);
}

#[test]
fn ranges_are_added_removed_and_renamed_in_their_position() {
    let told = lines_changed(|layout| {
        let ranges = subnet(layout)["ranges"].as_array_mut().unwrap();
        ranges.remove(1);
        ranges.push(json!({"start": "192.0.2.30", "end": "192.0.2.30", "type": "reserved", "comment": "a: b"}));
    });
    insta::assert_snapshot!(told, @r#"
    desks.yaml -   # bob's
    desks.yaml -   - range: +40..+49   # no name
    desks.yaml +   - {name: "a: b", range: +30}
    desks.yaml +   # bob's
    desks.yaml +   # no name
    "#);
    let told = lines_changed(|layout| subnet(layout)["ranges"] = json!([]));
    insta::assert_snapshot!(told, @r#"
    desks.yaml - reserve:
    desks.yaml -   - {name: printers, range: 192.0.2.10-192.0.2.19}   # third floor
    desks.yaml -   # bob's
    desks.yaml -   - range: +40..+49   # no name
    desks.yaml - 
    desks.yaml -   - name: "pool"
    desks.yaml -     purpose: dynamic
    desks.yaml -     range: +100..+199
    desks.yaml + # third floor
    desks.yaml + # bob's
    desks.yaml + # no name
    "#);
    let told = lines_changed(|layout| {
        let ranges = &mut subnet(layout)["ranges"];
        ranges[0]["comment"] = json!("");
        ranges[1]["comment"] = json!("scanners");
        ranges[2]["type"] = json!("reserved");
    });
    insta::assert_snapshot!(told, @r#"
    desks.yaml -   - {name: printers, range: 192.0.2.10-192.0.2.19}   # third floor
    desks.yaml -   # bob's
    desks.yaml -   - range: +40..+49   # no name
    desks.yaml - 
    desks.yaml -   - name: "pool"
    desks.yaml -     purpose: dynamic
    desks.yaml +   - {range: 192.0.2.10-192.0.2.19}   # third floor
    desks.yaml +   # bob's
    desks.yaml +   - name: scanners
    desks.yaml +     range: +40..+49   # no name
    desks.yaml + 
    desks.yaml +   - name: "pool"
    desks.yaml +     purpose: reserved
    "#);
}

#[test]
fn a_moved_subnet_changes_one_line_and_relative_values_follow() {
    let told = lines_changed(|layout| {
        let moved = subnet(layout).to_string().replace("192.0.2.", "203.0.113.");
        *subnet(layout) = serde_json::from_str(&moved).unwrap();
    });
    insta::assert_snapshot!(told, @r#"
    desks.yaml - cidr: 192.0.2.0/24
    desks.yaml - name: "old desks"
    desks.yaml - gateway: 192.0.2.1   # in full, because the printer manual says so
    desks.yaml - dns: [+2, 192.0.2.3, other+9]
    desks.yaml - 
    desks.yaml - # Addresses that are given away.
    desks.yaml - reserve:
    desks.yaml -   - {name: printers, range: 192.0.2.10-192.0.2.19}   # third floor
    desks.yaml + cidr: 203.0.113.0/24
    desks.yaml + name: "old desks"
    desks.yaml + gateway: 203.0.113.1   # in full, because the printer manual says so
    desks.yaml + dns: [+2, 203.0.113.3, other+9]
    desks.yaml + 
    desks.yaml + # Addresses that are given away.
    desks.yaml + reserve:
    desks.yaml +   - {name: printers, range: 203.0.113.10-203.0.113.19}   # third floor
    "#);
}
