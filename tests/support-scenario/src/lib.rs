//! The whole bot in one process, for tests: a MAAS, a GitHub, the service on a journal of its own, and a clock that the
//! test advances. It must not know what the bot should do; tests say that, mostly with a snapshot of the transcript.
#![expect(clippy::unwrap_used, reason = "only tests use this crate")]

mod people;
mod scenario;
mod transcript;

pub use scenario::{Scenario, ScenarioOptions, TestService};

/// The repository of every scenario.
pub const REPOSITORY: &str = "acme/network";

/// The declaration of the site's only subnet.
pub const DESKS: &str = "topology/desks.yaml";

/// What MAAS has at the start: one subnet without machines and without a gateway.
pub const LAYOUT: &str = r#"{"fabrics": [{"name": "blue", "vlans": [{"vid": 0, "mtu": 1500,
    "subnets": [{"cidr": "192.0.2.0/24", "name": "desks", "managed": true}]}]}]}"#;

/// The declaration that matches [`LAYOUT`].
pub const WITHOUT_GATEWAY: &str = "plane: desks\nfabric: blue\nname: desks\ncidr: 192.0.2.0/24\n";

/// The same with a gateway: a plan of one change.
pub const WITH_GATEWAY: &str =
    "plane: desks\nfabric: blue\nname: desks\ncidr: 192.0.2.0/24\ngateway: +1\n";
