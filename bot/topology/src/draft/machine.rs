//! Machines, their interfaces and links, as written. Must not know what MAAS refuses.

use super::leaf::{LinkAddress, Offset};
use super::reading::{Located, record};
use super::settings::SettingsDraft;
use crate::address::Cidr;
use crate::object::InterfaceKind;
use crate::removed::DeclaredState;

record! {
    /// A machine whose interfaces are declared.
    pub(crate) struct MachineDraft {
        /// Its host name in MAAS.
        name: Located<String>,
        /// Its offset in every subnet, such as `+40`, for `address: host`.
        host: Option<Located<Offset>>,
        /// The template that has its interfaces; `address: host` in it means the machine's own `host`.
        template: Option<Located<String>>,
        /// Its interfaces, in any order. With a template: those that are different here, or only here.
        interfaces: Option<Vec<InterfaceDraft>>,
    }
}

record! {
    /// Interfaces that many machines have.
    pub(crate) struct TemplateDraft {
        /// What machines name it.
        name: Located<String>,
        /// The interfaces, in any order.
        interfaces: Vec<InterfaceDraft>,
    }
}

record! {
    /// One interface of a machine.
    pub(crate) struct InterfaceDraft {
        /// Unique in its machine.
        name: Located<String>,
        /// `absent`: the interface is removed where the machine's state permits it. Omitted: it is there.
        state: Option<Located<DeclaredState>>,
        /// `physical`, `bond`, `bridge` or `vlan`.
        r#type: Located<InterfaceKind>,
        /// Its parent interfaces.
        parents: Option<Vec<Located<String>>>,
        /// The plane whose VLAN it is on.
        plane: Option<Located<String>>,
        /// The VLAN it is on, if that is not a plane's VLAN.
        vlan: Option<VlanDraft>,
        /// Its addresses. Omitted: left alone. `[]`: none.
        links: Option<Vec<LinkDraft>>,
    }
    with
        /// What it is set to.
        settings: SettingsDraft
}

record! {
    /// A VLAN's fabric and tag.
    pub(crate) struct VlanDraft {
        /// The fabric's name.
        fabric: Located<String>,
        /// The tag. Omitted: untagged.
        vid: Option<Located<u32>>,
    }
}

record! {
    /// One link of an interface to a plane's subnet.
    pub(crate) struct LinkDraft {
        /// The plane.
        plane: Located<String>,
        /// `host` (the machine's own offset), `+41`, an address, `auto`, `dhcp` or `link-up`.
        address: Located<LinkAddress>,
        /// Which subnet, if the plane has several.
        subnet: Option<Located<Cidr>>,
        /// `true`: the machine's default gateway of that family is the subnet's. Omitted: left alone.
        default_gateway: Option<Located<bool>>,
    }
}
