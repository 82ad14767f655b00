//! What releases of MAAS do differently: the one table of the lab's MAAS. Each row with its source.

/// A release, for example `3.5.12` or `3.7.0~rc1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    text: String,
    numbers: [u32; 3],
}

impl Version {
    /// Reads a release leniently; what is no number counts as 0.
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

    /// As `GET version/` says it.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn since(&self, release: [u32; 3]) -> bool {
        self.numbers >= release
    }

    /// `reservedips/` (3.6.5 maasserver/models/reservedip.py).
    pub fn has_reserved_ips(&self) -> bool {
        self.since([3, 6, 0])
    }

    /// Boot architectures that are turned off for a subnet (3.0.0 maasserver/models/subnet.py; not in 2.9.2).
    pub fn has_boot_architectures(&self) -> bool {
        self.since([3, 0, 0])
    }

    /// `allow_dns` and `allow_proxy` are read by their words; before, they were checkboxes as `managed` is (3.5.0 and 3.4.8
    /// maasserver/forms/subnet.py, `clean`).
    pub fn reads_allowances_by_word(&self) -> bool {
        self.since([3, 5, 0])
    }

    /// Overlapping subnets refused on every save (3.7.3 maasserver/models/subnet.py:455-479).
    pub fn refuses_overlap(&self) -> bool {
        self.since([3, 7, 0])
    }

    /// In-use check and `force` on a subnet's delete (3.7.3 maasserver/models/subnet.py:481-504, api/subnets.py:271-293).
    pub fn checks_use_on_delete(&self) -> bool {
        self.since([3, 7, 3])
    }

    /// What lies outside a subnet no longer shifts what is free in it (3.7.3 `maasservicelayer/db/repositories/subnet_utilization.py`;
    /// seen on 3.7.3, and not on 3.5.12).
    pub fn clips_free_ranges(&self) -> bool {
        self.since([3, 7, 0])
    }

    /// `dhcp_on` for a VLAN that is being made is refused; later it is a 500, since the Django of Ubuntu 24.04 does not ask
    /// for the subnets of a row that is not there (seen on 3.5.12 and 3.7.3).
    pub fn refuses_dhcp_on_a_new_vlan(&self) -> bool {
        !self.since([3, 6, 0])
    }

    /// A DHCP snippet may hang on a range (3.0.0 maasserver/models/dhcpsnippet.py:89; not in 2.9.2).
    pub fn has_range_snippets(&self) -> bool {
        self.since([3, 0, 0])
    }

    /// What is said of a snippet on another subnet's range (3.6.5 and 3.7.3 maasserver/models/dhcpsnippet.py).
    pub fn foreign_range_message(&self) -> &'static str {
        if self.since([3, 7, 0]) {
            "A DHCP snippet's IP Range must be within the parent subnet"
        } else {
            "A DHCP snippet's IP Range must be within theparent subnet"
        }
    }

    /// A rack has dhcpd check a DHCP snippet that is written (3.5.12 maasserver/forms/dhcpsnippet.py:126-141; not in 3.6.0).
    pub fn checks_snippets_on_a_rack(&self) -> bool {
        !self.since([3, 6, 0])
    }

    /// Also the rack that a VLAN is relayed to (3.0.1 maasserver/dhcp.py:978-995; not in 2.9.2).
    pub fn checks_snippets_on_a_relay(&self) -> bool {
        self.since([3, 0, 0])
    }

    /// VLAN rows are numbered from 5001 (seen on 3.7.3).
    pub fn first_vlan_id(&self) -> u64 {
        if self.since([3, 6, 0]) { 5001 } else { 1 }
    }
}
