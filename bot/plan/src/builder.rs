//! The walk from what is there to what is wanted, one write after another.
//!
//! The order is the design's: routes, reserved IPs, DHCP snippets, dynamic ranges, reserved ranges, subnets go; spaces, fabrics, VLANs,
//! subnets come; gateways and resolvers, reserved ranges, dynamic ranges, DHCP, routes, reserved IPs, snippets stand up. Every
//! write is carried out on paper as it is noted, so each step's before and after are exact, and a write that MAAS would
//! refuse becomes a refusal here. Must not know gates, or who approves.

mod draft;
mod moves;
mod ranges;
mod remove;
mod snippets;
mod stand;
mod target;
mod vlans;

pub(crate) use draft::{PlanBuilder, StepDraft, is_recreated, vacated};
pub(crate) use ranges::called;

impl PlanBuilder<'_> {
    /// Walks all phases but the carve.
    pub(crate) fn build(&mut self) {
        self.release_links();
        self.turn_dhcp_off();
        self.turn_dhcp_off_behind();
        self.remove_routes();
        self.remove_reserved_ips();
        self.remove_snippets();
        self.remove_ranges();
        self.remove_subnets();
        self.make_spaces();
        self.make_fabrics();
        self.make_vlans();
        self.make_subnets();
        self.stand_up();
        self.make_waiting_snippets();
    }
}
