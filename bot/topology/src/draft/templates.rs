//! Templates: interfaces that are written once for many machines. Must not know what an interface means.

use std::collections::BTreeMap;

use super::{Draft, InterfaceDraft, nearest};
use crate::finding::{Findings, codes, shown};

/// Gives each machine the interfaces of its template, with its own instead of those of the same name.
pub(super) fn expand(draft: &mut Draft, findings: &mut Findings<'_>) {
    let mut templates: BTreeMap<&str, &[InterfaceDraft]> = BTreeMap::new();
    for template in &draft.templates {
        let Some(name) = template.name.value.as_deref() else {
            continue;
        };
        if templates.insert(name, &template.interfaces).is_some() {
            let message = format!("template `{}` is already declared", shown(name));
            let help = "remove one of the two";
            findings.add(codes::MACHINE_TEMPLATE, template.name.place, message, help);
        }
    }
    for machine in &mut draft.machines {
        let Some(stated) = &machine.template else {
            if machine.interfaces.is_none() {
                let message = "`interfaces` is missing";
                let help = "add a line `interfaces: …`, or a `template`";
                findings.add(codes::KEY_MISSING, machine.name.place, message, help);
            }
            continue;
        };
        let Some(name) = stated.value.as_deref() else {
            continue;
        };
        let Some(shared) = templates.get(name) else {
            let message = format!("there is no template `{}`", shown(name));
            let help = nearest(name, templates.keys().copied()).map_or_else(
                || "declare it under `templates`".to_owned(),
                |near| format!("did you mean `{}`?", shown(near)),
            );
            findings.add(codes::MACHINE_TEMPLATE, stated.place, message, help);
            continue;
        };
        let own = machine.interfaces.take().unwrap_or_default();
        let is_own =
            |shared: &&InterfaceDraft| own.iter().any(|it| it.name.value == shared.name.value);
        let mut all: Vec<InterfaceDraft> =
            shared.iter().filter(|it| !is_own(it)).cloned().collect();
        all.extend(own);
        machine.interfaces = Some(all);
    }
}
