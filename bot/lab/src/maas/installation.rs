//! A layout as an installation of its own: its region controllers get `system_id`s that no other MAAS has.
//!
//! A real MAAS has at least one region controller and draws its id at random, and that is by what one MAAS is told from
//! another. A layout names neither, so two servers of one layout would pass for one MAAS. It must not know what else a layout
//! holds; one that cannot be read is left to the loader, which says what is wrong.

use serde_json::{Value, json};

use super::store::generated;

/// The layout with ids for its region controllers, and with one if it has none. The same seed gives the same ids.
pub(super) fn installed(layout: &str, seed: &str) -> String {
    let Ok(mut whole) = serde_json::from_str::<Value>(layout) else {
        return layout.to_owned();
    };
    let Some(fields) = whole.as_object_mut() else {
        return layout.to_owned();
    };
    let controllers = fields.entry("controllers").or_insert_with(|| json!([]));
    let Some(controllers) = controllers.as_array_mut() else {
        return layout.to_owned();
    };
    let id = |host: &str| json!(generated(&format!("{seed}/{host}"), 6).to_lowercase());
    let mut regions = 0;
    for controller in controllers.iter_mut().filter_map(Value::as_object_mut) {
        let kind = controller.get("kind").and_then(Value::as_str);
        if !kind.is_some_and(|kind| kind.split('+').any(|part| part == "region")) {
            continue;
        }
        regions += 1;
        let host = controller.get("hostname").and_then(Value::as_str);
        let id = id(host.unwrap_or_default());
        controller.entry("system_id").or_insert(id);
    }
    if regions == 0 {
        controllers.push(
            json!({"hostname": REGION, "kind": "region", "system_id": id(REGION), "interfaces": []}),
        );
    }
    whole.to_string()
}

/// The host name of the region controller of a layout that names none.
const REGION: &str = "lab-region";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maas::LabMaas;
    use crate::maas::store::NodeType;

    fn regions(layout: &str, seed: &str) -> Vec<String> {
        let maas = LabMaas::load(&installed(layout, seed), None).unwrap();
        let regions = maas
            .nodes
            .values()
            .filter(|node| matches!(node.kind, NodeType::Region | NodeType::RegionRack));
        regions.map(|node| node.system_id.clone()).collect()
    }

    #[test]
    fn two_installations_of_one_layout_have_different_region_controllers() {
        let named = r#"{"fabrics": [], "controllers": [{"hostname": "r0", "kind": "region+rack", "interfaces": []}]}"#;
        for layout in [r#"{"fabrics": []}"#, named] {
            let (one, other) = (regions(layout, "1"), regions(layout, "2"));
            assert!(one.len() == 1 && other.len() == 1 && one != other);
            assert_eq!(one, regions(layout, "1"));
        }
        let given = named.replace("\"kind\"", "\"system_id\": \"abc123\", \"kind\"");
        assert_eq!(regions(&given, "1"), ["abc123"]);
    }
}
