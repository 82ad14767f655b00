//! An interface's MTU, tags and parameters as MAAS's forms read them (seen on 3.5.12 and 3.7.3).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::maas::form::{Form, FormErrors};
use crate::maas::store::StoredInterface;

/// A parameter, its default, and its words; without words it is a number up to the given one, or a flag.
struct Param {
    name: &'static str,
    words: &'static [&'static str],
    max: u64,
}

const fn number(name: &'static str, max: u64) -> Param {
    Param {
        name,
        words: &[],
        max,
    }
}

const fn words(name: &'static str, words: &'static [&'static str]) -> Param {
    Param {
        name,
        words,
        max: 0,
    }
}

const BOND: [Param; 7] = [
    words(
        "bond_mode",
        &[
            "balance-rr",
            "active-backup",
            "balance-xor",
            "broadcast",
            "802.3ad",
            "balance-tlb",
            "balance-alb",
        ],
    ),
    words("bond_lacp_rate", &["fast", "slow"]),
    words(
        "bond_xmit_hash_policy",
        &["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4"],
    ),
    number("bond_miimon", i32::MAX as u64),
    number("bond_updelay", i32::MAX as u64),
    number("bond_downdelay", i32::MAX as u64),
    number("bond_num_grat_arp", 255),
];
const BRIDGE: [Param; 3] = [
    words("bridge_type", &["standard", "ovs"]),
    number("bridge_fd", i32::MAX as u64),
    number("bridge_stp", 0),
];

/// What a new bond or bridge has if nothing is sent.
pub(crate) fn default_params(kind: &str) -> BTreeMap<String, Value> {
    let all = match kind {
        "bond" => json!({
            "bond_downdelay": 0, "bond_lacp_rate": "fast", "bond_miimon": 100, "bond_mode": "balance-rr",
            "bond_num_grat_arp": 1, "bond_updelay": 0, "bond_xmit_hash_policy": "layer2",
        }),
        "bridge" => json!({"bridge_fd": 15, "bridge_stp": false, "bridge_type": "standard"}),
        _ => json!({}),
    };
    serde_json::from_value(all).unwrap_or_default()
}

/// Reads the parameters of a bond or bridge; an empty value is ignored.
pub(crate) fn read_params(row: &mut StoredInterface, form: &Form, errors: &mut FormErrors) {
    let params: &[Param] = match row.kind.as_str() {
        "bond" => &BOND,
        "bridge" => &BRIDGE,
        _ => &[],
    };
    for param in params {
        let Some(text) = form.get(param.name).filter(|text| !text.is_empty()) else {
            continue;
        };
        let value = if param.name == "bridge_stp" {
            // `on` and `1` are False.
            json!(text.eq_ignore_ascii_case("true"))
        } else if param.words.is_empty() {
            let Some(value) = number_in(param, text, errors) else {
                continue;
            };
            json!(value)
        } else if param.words.contains(&text) {
            json!(text)
        } else {
            let known: Vec<String> = param.words.iter().map(|word| format!("'{word}'")).collect();
            errors.add(
                param.name,
                format!(
                    "'{text}' is not a valid {}.  It should be one of: {}.",
                    param.name,
                    known.join(", ")
                ),
            );
            continue;
        };
        row.params.insert(param.name.to_owned(), value);
    }
}

fn number_in(param: &Param, text: &str, errors: &mut FormErrors) -> Option<u64> {
    let message = match text
        .parse::<i64>()
        .map(|number| (number, u64::try_from(number)))
    {
        Err(_) => "Enter a whole number.".to_owned(),
        Ok((_, Err(_))) => "Ensure this value is greater than or equal to 0.".to_owned(),
        Ok((_, Ok(number))) if number > param.max => {
            format!("Ensure this value is less than or equal to {}.", param.max)
        }
        Ok((_, Ok(number))) => return Some(number),
    };
    errors.add(param.name, message);
    None
}

/// Reads the tags, as words between commas. A PUT without them drops all but the last.
pub(crate) fn read_tags(row: &mut StoredInterface, form: &Form) {
    match form.get("tags") {
        Some(text) => {
            let words = text.split(',').map(str::trim);
            row.tags = words
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect();
        }
        None => row.tags = row.tags.pop().into_iter().collect(),
    }
}
