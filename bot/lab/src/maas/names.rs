//! Names of hosts and domains (3.7.3 `maascommon/utils/dns.py`). It must not know rows.

/// Python's `repr` of a text without odd characters.
pub(crate) fn quoted(text: &str) -> String {
    let mark = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(mark);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c == mark => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(mark);
    out
}

/// Why a name cannot be that of a domain.
pub(crate) fn refuse_domain_name(name: &str) -> Option<String> {
    if name.chars().count() > 255 {
        return Some("Hostname is too long.  Maximum allowed is 255 characters.".to_owned());
    }
    name.split('.').find_map(|label| {
        let known = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if label.is_empty() {
            Some("DNS name contains an empty label.".to_owned())
        } else if label.chars().count() > 63 {
            Some(format!(
                "Label is too long: {}.  Maximum allowed is 63 characters.",
                quoted(label)
            ))
        } else if label.starts_with('-') || label.ends_with('-') {
            Some(format!(
                "Label cannot start or end with hyphen: {}.",
                quoted(label)
            ))
        } else if !label.chars().all(known) {
            Some(format!(
                "Label contains disallowed characters: {}.",
                quoted(label)
            ))
        } else {
            None
        }
    })
}

/// Why a name cannot be that of a host.
pub(crate) fn refuse_hostname(name: &str) -> Option<String> {
    let host = name.split('.').next().unwrap_or_default();
    if name.chars().count() <= 255 && host.contains('_') {
        return Some(format!(
            "Host label cannot contain underscore: {}.",
            quoted(host)
        ));
    }
    refuse_domain_name(name)
}
