//! Builds the steps of a plan, from the observed network to the desired one.
//!
//! The order is fixed: first routes, reserved IPs, DHCP snippets, dynamic ranges, reserved ranges and subnets are deleted;
//! then spaces, fabrics, VLANs and subnets are created; then gateways and resolvers, reserved ranges, dynamic ranges, DHCP,
//! routes, reserved IPs and snippets are set up. Must not know gates, or who approves.

mod draft;
mod exchange;
mod moves;
mod ranges;
mod removal;
mod remove;
mod snippets;
mod stand;
mod target;
mod vlans;

pub(crate) use draft::{PlanBuilder, StepDraft, is_recreated};
pub(crate) use ranges::{DHCP_PAUSES, called};

impl PlanBuilder<'_> {
    /// Adds the steps of all phases except carve.
    pub(crate) fn build(&mut self) {
        self.release_links();
        self.turn_dhcp_off();
        self.turn_dhcp_off_behind();
        self.turn_dhcp_off_removed();
        self.remove_routes();
        self.remove_reserved_ips();
        self.remove_snippets();
        self.remove_ranges();
        self.remove_absent_content();
        self.move_ranges_inside();
        self.remove_subnets();
        self.remove_absent_subnets();
        self.make_spaces();
        self.make_fabrics();
        if !self.make_vlans() {
            return;
        }
        self.make_subnets();
        self.stand_up();
        self.make_waiting_snippets();
    }
}
