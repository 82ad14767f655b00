//! placeholder
use topology::observed::Observed;

/// A layout.
#[derive(Debug)]
pub struct Layout {
    /// json
    pub json: serde_json::Value,
}

/// Makes a layout.
pub fn layout(_observed: &Observed) -> Layout {
    Layout {
        json: serde_json::Value::Null,
    }
}
