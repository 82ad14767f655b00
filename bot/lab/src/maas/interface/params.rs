//! The parameters of bonds, bridges and all interfaces, with MAAS's defaults and limits (3.7.3 `maasserver/forms/interface.py`,
//! `maasserver/enum.py`). It must not know rows.

use serde_json::{Map, Value, json};

use crate::maas::form::{Form, FormErrors, NO_NUMBER};
use crate::maas::link_form::no_such;
use crate::maas::parse;

const BOND_MODES: &[&str] = &[
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
];
const LACP_RATES: &[&str] = &["fast", "slow"];
const HASH_POLICIES: &[&str] = &["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4"];
const BRIDGE_TYPES: &[&str] = &["standard", "ovs"];

/// Linux's least MTU.
const MTU_MIN: i64 = 552;

/// How a parameter is read.
enum Reading {
    Choice(&'static [&'static str]),
    Number(i64),
    Switch,
}

struct Parameter {
    name: &'static str,
    reading: Reading,
}

const fn parameter(name: &'static str, reading: Reading) -> Parameter {
    Parameter { name, reading }
}

const BOND: [Parameter; 7] = [
    parameter("bond_mode", Reading::Choice(BOND_MODES)),
    parameter("bond_miimon", Reading::Number(i64::MAX)),
    parameter("bond_downdelay", Reading::Number(i64::MAX)),
    parameter("bond_updelay", Reading::Number(i64::MAX)),
    parameter("bond_num_grat_arp", Reading::Number(255)),
    parameter("bond_lacp_rate", Reading::Choice(LACP_RATES)),
    parameter("bond_xmit_hash_policy", Reading::Choice(HASH_POLICIES)),
];
const BRIDGE: [Parameter; 3] = [
    parameter("bridge_type", Reading::Choice(BRIDGE_TYPES)),
    parameter("bridge_stp", Reading::Switch),
    parameter("bridge_fd", Reading::Number(i64::MAX)),
];

fn parameters(kind: &str) -> &'static [Parameter] {
    match kind {
        "bond" => &BOND,
        "bridge" => &BRIDGE,
        _ => &[],
    }
}

/// What MAAS stores for a new interface of this type when nothing is given.
pub(crate) fn default_params(kind: &str) -> Map<String, Value> {
    let defaults = match kind {
        "bond" => json!({
            "bond_mode": "balance-rr", "bond_miimon": 100, "bond_downdelay": 0, "bond_updelay": 0,
            "bond_num_grat_arp": 1, "bond_lacp_rate": "fast", "bond_xmit_hash_policy": "layer2",
        }),
        "bridge" => json!({"bridge_type": "standard", "bridge_stp": false, "bridge_fd": 15}),
        _ => json!({}),
    };
    defaults.as_object().cloned().unwrap_or_default()
}

/// Reads the parameters of a form into `params`. An empty MTU or `accept_ra` removes it, any other empty field changes nothing.
pub(crate) fn read_params(
    kind: &str,
    form: &Form,
    params: &mut Map<String, Value>,
    errors: &mut FormErrors,
) {
    match form.get("mtu") {
        None => {}
        Some("") => {
            params.shift_remove("mtu");
        }
        Some(text) => match parse::integer(text) {
            None => errors.add("mtu", NO_NUMBER),
            Some(mtu) if mtu < MTU_MIN => errors.add("mtu", at_least(MTU_MIN)),
            Some(mtu) => {
                params.insert("mtu".to_owned(), json!(mtu));
            }
        },
    }
    match form.raw("accept_ra").map(|text| (text, null_boolean(text))) {
        Some(("", _)) => {
            params.shift_remove("accept-ra");
        }
        Some((_, Some(accept))) => {
            params.insert("accept-ra".to_owned(), json!(accept));
        }
        Some((_, None)) | None => {}
    }
    for parameter in parameters(kind) {
        let Some(text) = form.get(parameter.name).filter(|text| !text.is_empty()) else {
            continue;
        };
        if let Some(value) = read_one(parameter, text, errors) {
            params.insert(parameter.name.to_owned(), value);
        }
    }
}

fn read_one(parameter: &Parameter, text: &str, errors: &mut FormErrors) -> Option<Value> {
    match parameter.reading {
        Reading::Switch => null_boolean(text).map(Value::from),
        Reading::Choice(known) if known.contains(&text) => Some(json!(text)),
        Reading::Choice(known) => {
            let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
            errors.add(parameter.name, no_such(parameter.name, text, &known));
            None
        }
        Reading::Number(most) => match parse::integer(text) {
            None => {
                errors.add(parameter.name, NO_NUMBER);
                None
            }
            Some(number) if number < 0 => {
                errors.add(parameter.name, at_least(0));
                None
            }
            Some(number) if number > most => {
                let message = format!("Ensure this value is less than or equal to {most}.");
                errors.add(parameter.name, message);
                None
            }
            Some(number) => Some(json!(number)),
        },
    }
}

fn at_least(least: i64) -> String {
    format!("Ensure this value is greater than or equal to {least}.")
}

/// Django's `NullBooleanSelect`: other words than these are no answer, so `on` and `1` leave the default.
pub(crate) fn null_boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "2" => Some(true),
        "false" | "False" | "3" => Some(false),
        _ => None,
    }
}
