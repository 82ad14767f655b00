//! What an interface is set to, as API 2.0 spells it. Must not know what is declared.

use topology::object::{InterfaceKind, InterfaceParam, InterfaceSettings};

use crate::json::{JsonAt, JsonResult};

/// Reads MTU, tags, `enabled`, and the parameters of a bond or bridge. An older release leaves out what it does not have,
/// and some show no parameters as an empty string.
pub(super) fn settings(at: JsonAt<'_>, kind: InterfaceKind) -> JsonResult<InterfaceSettings> {
    let mut settings = InterfaceSettings::default();
    if let Some(enabled) = at.optional("enabled") {
        settings.disabled = !enabled.flag()?;
    }
    if let Some(tags) = at.optional("tags") {
        for tag in tags.list()? {
            settings.tags.insert(tag.text()?.to_owned());
        }
    }
    let Some(params) = at.optional("params").filter(JsonAt::is_map) else {
        return Ok(settings);
    };
    if let Some(mtu) = params.optional("mtu") {
        settings.mtu = Some(mtu.number()?);
    }
    for param in InterfaceParam::all().filter(|param| param.kind() == kind) {
        if let Some(value) = params.optional(param.word()) {
            settings.set(param, &value.scalar()?);
        }
    }
    Ok(settings)
}
