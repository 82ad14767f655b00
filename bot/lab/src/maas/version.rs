//! Differences between releases of MAAS, each with its source. The lab has no other release checks.

/// A release of MAAS, for example `3.5.12` or `3.7.0~rc1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    text: String,
    numbers: [u32; 3],
}

impl Version {
    /// Parses a release leniently: anything that is not a number counts as 0.
    pub fn read(text: &str) -> Self {
        let head: String = text
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        let mut parts = head.split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        Self {
            text: text.to_owned(),
            numbers: [next(), next(), next()],
        }
    }

    /// The release as in `GET version/`.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn since(&self, release: [u32; 3]) -> bool {
        self.numbers >= release
    }

    /// Reserved IPs (3.6.5 maasserver/models/reservedip.py).
    pub fn has_reserved_ips(&self) -> bool {
        self.since([3, 6, 0])
    }

    /// Disabled boot architectures of a subnet (3.0.0 maasserver/models/subnet.py; not in 2.9.2).
    pub fn has_boot_architectures(&self) -> bool {
        self.since([3, 0, 0])
    }

    /// Only certain words set `allow_dns` and `allow_proxy`; earlier releases read them as checkboxes, like `managed` (3.5.0 and
    /// 3.4.8 maasserver/forms/subnet.py, `clean`).
    pub fn reads_allowances_by_word(&self) -> bool {
        self.since([3, 5, 0])
    }

    /// Every save refuses overlapping subnets (3.7.3 maasserver/models/subnet.py:455-479).
    pub fn refuses_overlap(&self) -> bool {
        self.since([3, 7, 0])
    }

    /// Deleting a subnet checks for addresses in use and has `force` (3.7.3 maasserver/models/subnet.py:481-504,
    /// api/subnets.py:271-293).
    pub fn checks_use_on_delete(&self) -> bool {
        self.since([3, 7, 3])
    }

    /// Ranges and addresses outside a subnet no longer shift its free ranges (3.7.3
    /// `maasservicelayer/db/repositories/subnet_utilization.py`; seen on 3.7.3, not on 3.5.12).
    pub fn clips_free_ranges(&self) -> bool {
        self.since([3, 7, 0])
    }

    /// `dhcp_on` on a new VLAN is refused. In later releases it is a 500, because the Django of Ubuntu 24.04 does not query the
    /// subnets of an unsaved row (seen on 3.5.12 and 3.7.3).
    pub fn refuses_dhcp_on_a_new_vlan(&self) -> bool {
        !self.since([3, 6, 0])
    }

    /// A DHCP snippet can apply to a range (3.0.0 maasserver/models/dhcpsnippet.py:89; not in 2.9.2).
    pub fn has_range_snippets(&self) -> bool {
        self.since([3, 0, 0])
    }

    /// The message for a snippet on another subnet's range (3.6.5 and 3.7.3 maasserver/models/dhcpsnippet.py).
    pub fn foreign_range_message(&self) -> &'static str {
        if self.since([3, 7, 0]) {
            "A DHCP snippet's IP Range must be within the parent subnet"
        } else {
            "A DHCP snippet's IP Range must be within theparent subnet"
        }
    }

    /// A rack validates a written DHCP snippet with dhcpd (3.5.12 maasserver/forms/dhcpsnippet.py:126-141; not in 3.6.0).
    pub fn checks_snippets_on_a_rack(&self) -> bool {
        !self.since([3, 6, 0])
    }

    /// The rack of the relay target can validate it too (3.0.1 maasserver/dhcp.py:978-995; not in 2.9.2).
    pub fn checks_snippets_on_a_relay(&self) -> bool {
        self.since([3, 0, 0])
    }

    /// The longest name of an interface (3.6.0 maasserver/models/interface.py; no limit in 3.5.13).
    pub fn interface_name_max(&self) -> Option<usize> {
        self.since([3, 6, 0]).then_some(15)
    }

    /// The message for a name that an interface cannot have (3.5.12 and 3.7.3 maasserver/models/interface.py).
    pub fn interface_name_message(&self) -> &'static str {
        if self.since([3, 6, 0]) {
            "The interface name must be 1 to 15 characters long and can only contain alphanumeric characters, hyphens ('-'), underscores ('_'), periods ('.'), and colons (':')."
        } else {
            "Enter a valid value."
        }
    }

    /// The Ubuntu release that is deployed if none is named (seen on 3.5.12 and 3.7.3; 3.6.0
    /// provisioningserver/drivers/osystem/ubuntu.py).
    pub fn default_series(&self) -> &'static str {
        if self.since([3, 6, 0]) {
            "noble"
        } else {
            "jammy"
        }
    }

    /// Two settings are newer than the others (3.7.3 maasserver/forms/settings.py; not in 3.5.12).
    pub fn has_setting(&self, name: &str) -> bool {
        match name {
            "default_boot_interface_link_type" => self.since([3, 7, 0]),
            "enable_kernel_crash_dump" => self.since([3, 6, 0]),
            _ => true,
        }
    }

    /// What a request changed before its form was refused with 400 stays (seen on 3.5.12, not on 3.7.3).
    pub fn keeps_refused_changes(&self) -> bool {
        !self.since([3, 6, 0])
    }

    /// Deleting a DNS resource deletes the addresses that were only for it (3.6.1 maasserver/models/dnsresource.py; seen on
    /// 3.7.3, not on 3.5.12).
    pub fn frees_addresses_of_names(&self) -> bool {
        self.since([3, 6, 1])
    }

    /// The number of the first user: MAAS's own worker comes before it since 3.6 (seen on 3.5.12 and 3.7.3).
    pub fn first_user_id(&self) -> u64 {
        if self.since([3, 6, 0]) { 2 } else { 1 }
    }

    /// VLAN ids start at 5001 since 3.6 (seen on 3.7.3).
    pub fn first_vlan_id(&self) -> u64 {
        if self.since([3, 6, 0]) { 5001 } else { 1 }
    }
}
