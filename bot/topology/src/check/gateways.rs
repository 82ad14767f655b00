//! Links that are declared as default gateways: which of them MAAS accepts. Must not know the other rules of links.

use crate::address::Cidr;
use crate::finding::{FilePosition, Findings, codes};
use crate::object::Mode;

use super::machines::LinkContext;

/// A link that is declared as a default gateway, and where.
pub(super) type ChosenGateway = (Cidr, Mode, FilePosition);

/// MAAS refuses a link without an address of its own choice, and a subnet without a gateway (seen on 3.5.12 and 3.7.3).
pub(super) fn may_be_gateway(
    cidr: Cidr,
    mode: Mode,
    context: &LinkContext<'_>,
    place: FilePosition,
    findings: &mut Findings<'_>,
) -> bool {
    let bare = context
        .subnets
        .get(&cidr)
        .is_some_and(|subnet| subnet.gateway == Some(None));
    let (message, help) = match mode {
        Mode::Dhcp | Mode::LinkUp => (
            "only a link with an address from MAAS can be the default gateway".to_owned(),
            "write an address, `host` or `auto`, or remove `default_gateway`",
        ),
        Mode::Auto | Mode::Static(_) if bare => (
            format!("`{cidr}` has no gateway"),
            "declare a `gateway` on its plane, or remove `default_gateway`",
        ),
        Mode::Auto | Mode::Static(_) => return true,
    };
    findings.add(codes::LINK_GATEWAY, place, message, help);
    false
}
