//! Names in paths of requests: encoded, so that no name leaves its place.

/// One segment of a path: everything but unreserved characters is encoded.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Segments with slashes between them, each encoded. `.` and `..` are encoded twice: a URL takes `%2E%2E` for `..` (WHATWG
/// URL, "double-dot URL path segment") and would leave the folder. GitHub is then asked for a name that cannot exist.
pub(super) fn path(text: &str) -> String {
    text.split('/')
        .map(|part| match part {
            "." | ".." => "%252E".repeat(part.len()),
            _ => segment(part),
        })
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_leave_their_place_in_a_path() {
        assert_eq!(segment("a/b?c#d e"), "a%2Fb%3Fc%23d%20e");
        assert_eq!(path("acme/../admin"), "acme/%252E%252E/admin");
        for traversal in ["a/../b", "a/./b", "../../b", "a/%2e%2e/b"] {
            let address = format!("https://github.test/repos/{}/x", path(traversal));
            let asked = reqwest::Url::parse(&address).unwrap();
            assert_eq!(asked.as_str(), address, "{traversal}");
        }
        assert_eq!(path("heads/planebot-history"), "heads/planebot-history");
    }
}
