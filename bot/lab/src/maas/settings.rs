//! MAAS's settings: names, defaults and what their forms accept (3.5.12 and 3.7.3 `maasserver/models/config.py`,
//! `forms/settings.py`).

use serde_json::{Value, json};

use super::answer::{ApiCaller, MaasAnswer, admin_to_create, last_param, plain};
use super::form::{Form, FormErrors, NO_NUMBER, field_error};
use super::link_form::no_such;
use super::names::refuse_hostname;
use super::parse;
use super::store::LabMaas;
use crate::wire::{LabRequest, LabResponse};

/// `maas_name`, which is the host name at installation. The recorded servers ran on a machine with this name.
const NAME: &str = "vm";

/// How the value of a setting is read.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Flag,
    /// A whole number with its limits.
    Number(i64, i64),
    Choice(&'static [&'static str]),
    /// Addresses, with blanks or commas between them.
    Addresses,
    /// Addresses, networks and host names.
    Hosts,
}

const ANY: Shape = Shape::Number(i64::MIN, i64::MAX);
const MANY: Shape = Shape::Number(1, i64::MAX);

/// All settings in MAAS's order, each with its default as JSON text.
const SETTINGS: [(&str, &str, Shape); 67] = [
    ("maas_name", "null", Shape::Text),
    ("theme", "\"\"", Shape::Text),
    ("kernel_opts", "null", Shape::Text),
    ("enable_http_proxy", "true", Shape::Flag),
    ("maas_proxy_port", "8000", Shape::Number(0, 65_535)),
    ("use_peer_proxy", "false", Shape::Flag),
    ("prefer_v4_proxy", "false", Shape::Flag),
    ("http_proxy", "null", Shape::Text),
    ("default_dns_ttl", "30", ANY),
    ("upstream_dns", "null", Shape::Addresses),
    (
        "dnssec_validation",
        "\"auto\"",
        Shape::Choice(&["auto", "yes", "no"]),
    ),
    ("maas_internal_domain", "\"maas-internal\"", Shape::Text),
    ("dns_trusted_acl", "null", Shape::Hosts),
    ("ntp_servers", "\"ntp.ubuntu.com\"", Shape::Hosts),
    ("ntp_external_only", "false", Shape::Flag),
    ("allow_only_trusted_transfers", "false", Shape::Flag),
    ("remote_syslog", "null", Shape::Text),
    ("maas_syslog_port", "5247", Shape::Number(0, 65_535)),
    (
        "network_discovery",
        "\"enabled\"",
        Shape::Choice(&["enabled", "disabled"]),
    ),
    ("active_discovery_interval", "10800", ANY),
    (
        "default_boot_interface_link_type",
        "\"auto\"",
        Shape::Choice(&["auto", "dhcp", "static", "link_up"]),
    ),
    ("default_osystem", "\"ubuntu\"", Shape::Text),
    ("default_distro_series", "null", Shape::Text),
    ("default_min_hwe_kernel", "\"\"", Shape::Text),
    ("enable_kernel_crash_dump", "false", Shape::Flag),
    ("default_storage_layout", "\"flat\"", Shape::Text),
    ("commissioning_distro_series", "null", Shape::Text),
    ("enable_third_party_drivers", "true", Shape::Flag),
    ("windows_kms_host", "null", Shape::Text),
    ("enable_disk_erasing_on_release", "false", Shape::Flag),
    ("disk_erase_with_secure_erase", "true", Shape::Flag),
    ("disk_erase_with_quick_erase", "false", Shape::Flag),
    ("boot_images_auto_import", "true", Shape::Flag),
    ("boot_images_no_proxy", "false", Shape::Flag),
    ("curtin_verbose", "true", Shape::Flag),
    ("force_v1_network_yaml", "false", Shape::Flag),
    ("enable_analytics", "true", Shape::Flag),
    ("completed_intro", "false", Shape::Flag),
    ("max_node_commissioning_results", "10", MANY),
    ("max_node_testing_results", "10", MANY),
    ("max_node_installation_results", "3", MANY),
    ("max_node_release_results", "3", MANY),
    ("subnet_ip_exhaustion_threshold_count", "16", MANY),
    ("release_notifications", "true", Shape::Flag),
    ("use_rack_proxy", "true", Shape::Flag),
    ("node_timeout", "30", MANY),
    ("prometheus_enabled", "false", Shape::Flag),
    ("prometheus_push_gateway", "null", Shape::Text),
    ("prometheus_push_interval", "60", ANY),
    ("promtail_enabled", "false", Shape::Flag),
    ("promtail_port", "5238", ANY),
    ("enlist_commissioning", "true", Shape::Flag),
    ("maas_auto_ipmi_user", "\"maas\"", Shape::Text),
    (
        "maas_auto_ipmi_user_privilege_level",
        "\"ADMIN\"",
        Shape::Text,
    ),
    ("maas_auto_ipmi_k_g_bmc_key", "\"\"", Shape::Text),
    ("maas_auto_ipmi_cipher_suite_id", "\"3\"", Shape::Text),
    ("maas_auto_ipmi_workaround_flags", "null", Shape::Text),
    ("vcenter_server", "\"\"", Shape::Text),
    ("vcenter_username", "\"\"", Shape::Text),
    ("vcenter_password", "\"\"", Shape::Text),
    ("vcenter_datacenter", "\"\"", Shape::Text),
    ("hardware_sync_interval", "\"15m\"", Shape::Text),
    (
        "tls_cert_expiration_notification_enabled",
        "false",
        Shape::Flag,
    ),
    (
        "tls_cert_expiration_notification_interval",
        "30",
        Shape::Number(1, 90),
    ),
    ("session_length", "1209600", Shape::Number(10, 1_209_600)),
    ("auto_vlan_creation", "true", Shape::Flag),
    // Kept in another table, and not among the valid settings that MAAS lists.
    (
        "main_archive",
        "\"http://archive.ubuntu.com/ubuntu\"",
        Shape::Text,
    ),
];

impl LabMaas {
    pub(crate) fn config(
        &mut self,
        request: &LabRequest,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        if request.method != "GET" {
            admin_to_create(caller)?;
            return self.set_config(form);
        }
        let name = last_param(request, "name");
        let name = renamed(name.ok_or_else(|| plain(400, "No provided name!"))?);
        let (name, default, _) = self.find_setting(name)?;
        let value = match self.config.get(name) {
            Some(value) => value.clone(),
            None => self.default_setting(name, default),
        };
        Ok(LabResponse {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: value.to_string().into_bytes(),
        })
    }

    fn default_setting(&self, name: &str, default: &str) -> Value {
        match name {
            "maas_name" => json!(NAME),
            "default_distro_series" | "commissioning_distro_series" => {
                json!(self.version.default_series())
            }
            _ => serde_json::from_str(default).unwrap_or_default(),
        }
    }

    fn find_setting(&self, name: &str) -> Result<(&'static str, &'static str, Shape), LabResponse> {
        let known = SETTINGS.iter().find(|(known, _, _)| *known == name);
        if let Some(known) = known.filter(|_| self.version.has_setting(name)) {
            return Ok(*known);
        }
        let valid: Vec<&str> = SETTINGS
            .iter()
            .map(|(known, _, _)| *known)
            .filter(|known| self.version.has_setting(known) && *known != "main_archive")
            .collect();
        let message = format!(
            "{name} is not a valid config setting (valid settings are: {}).",
            valid.join(", ")
        );
        Err(field_error(name, message))
    }

    fn set_config(&mut self, form: &Form) -> MaasAnswer {
        let name = match form.raw("name") {
            None => return Err(plain(400, "No provided name!")),
            Some("") => return Err(plain(400, "Invalid name: Please enter a value")),
            Some(name) => renamed(name),
        };
        let text = form.raw("value");
        let text = text.ok_or_else(|| plain(400, "No provided value!"))?;
        let (name, _, shape) = self.find_setting(name)?;
        let mut errors = FormErrors::default();
        let value = read_value(name, text, shape, &mut errors);
        errors.done()?;
        self.config.insert(name.to_owned(), value);
        Ok(plain(200, "OK"))
    }
}

/// The name before MAAS 2.0.
fn renamed(name: &str) -> &str {
    if name == "ntp_server" {
        "ntp_servers"
    } else {
        name
    }
}

fn read_value(name: &str, text: &str, shape: Shape, errors: &mut FormErrors) -> Value {
    match shape {
        Shape::Text => json!(text.trim()),
        Shape::Flag => json!(parse::ticked(text)),
        Shape::Number(least, most) => match (text.trim(), parse::integer(text)) {
            ("", _) => Value::Null,
            (_, None) => refused(name, NO_NUMBER, errors),
            (_, Some(number)) if number < least => {
                let message = format!("Ensure this value is greater than or equal to {least}.");
                refused(name, &message, errors)
            }
            (_, Some(number)) if number > most => {
                let message = format!("Ensure this value is less than or equal to {most}.");
                refused(name, &message, errors)
            }
            (_, Some(number)) => json!(number),
        },
        Shape::Choice(known) if text.is_empty() || known.contains(&text) => json!(text),
        Shape::Choice(known) => {
            let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
            refused(name, &no_such(name, text, &known), errors)
        }
        Shape::Addresses | Shape::Hosts => {
            let words: Vec<&str> = text
                .split(|c: char| c == ',' || c.is_whitespace())
                .filter(|word| !word.is_empty())
                .collect();
            let mut odd = words.iter().filter_map(|word| refuse_host(word, shape));
            match odd.next() {
                Some(why) => refused(name, &why, errors),
                None => json!(words.join(" ")),
            }
        }
    }
}

fn refused(name: &str, why: &str, errors: &mut FormErrors) -> Value {
    errors.add(name, why);
    Value::Null
}

fn refuse_host(word: &str, shape: Shape) -> Option<String> {
    if parse::address(word).is_some() {
        return None;
    }
    if matches!(shape, Shape::Addresses) {
        return Some(format!(
            "Invalid IP address: {word}; provide a list of space-separated IP addresses"
        ));
    }
    if word.contains('/') {
        let odd = parse::network(word).is_err();
        return odd.then(|| format!("Invalid network: {word}."));
    }
    if word.contains(':') {
        return Some(format!("Invalid IP address: {word}."));
    }
    refuse_hostname(word).map(|why| format!("Invalid hostname: {why}"))
}
