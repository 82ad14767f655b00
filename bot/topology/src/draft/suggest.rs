//! Suggestions for unknown keys and names: the nearest spelling, or our key for another tool's.

/// Keys that people know from MAAS and other tools.
const FOREIGN_KEYS: &[(&str, &str)] = &[
    ("dns_servers", "dns"),
    ("nameservers", "dns"),
    ("gateway_ip", "gateway"),
    ("vlan", "vid"),
    ("tag", "vid"),
    ("ranges", "reserve"),
    ("reservations", "reserve"),
    ("ip_ranges", "reserve"),
    ("reserved", "reserve"),
    ("static_routes", "routes"),
    ("dhcp_on", "dhcp"),
    ("network", "cidr"),
    ("subnet", "cidr"),
    ("hostname", "name"),
    ("key", "plane"),
    ("comment", "name"),
    ("mode", "address"),
    ("ip", "address"),
    ("mac_address", "mac"),
    ("destination", "to"),
    ("kind", "type"),
    ("hosts", "machines"),
];

/// Less similar candidates are not suggested.
const LIKENESS_MIN: f64 = 0.8;

/// The most candidates that are compared: a suggestion must stay cheap.
const CANDIDATES_MAX: usize = 500;

/// The help text for a key that is not among `keys`.
pub(super) fn suggest(key: &str, keys: &[&str]) -> String {
    let key = key.to_lowercase().replace('-', "_");
    let foreign = FOREIGN_KEYS
        .iter()
        .find(|(theirs, ours)| *theirs == key && keys.contains(ours))
        .map(|(_, ours)| *ours);
    match foreign.or_else(|| nearest(&key, keys.iter().copied())) {
        Some(ours) => format!("did you mean `{ours}`?"),
        None => format!("known keys: {}", keys.join(", ")),
    }
}

/// The candidate that is most similar to `word`, if one is similar enough.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    // The comparison takes quadratic time, and no real name is longer than this.
    let word: String = word.chars().take(64).collect();
    candidates
        .filter(|candidate| candidate.len() <= 256)
        .take(CANDIDATES_MAX)
        .map(|candidate| (strsim::jaro_winkler(&word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
