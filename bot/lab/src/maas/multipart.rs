//! Bodies of type `multipart/form-data`, plain or base64 as the `maas` client sends them. It must not know fields.

use base64::Engine as _;

/// Name and content of each part.
pub(crate) fn parts(content_type: &str, body: &[u8]) -> Vec<(String, String)> {
    let Some(boundary) = boundary(content_type) else {
        return Vec::new();
    };
    let mark = format!("--{boundary}");
    let mut found = Vec::new();
    for piece in split(body, mark.as_bytes()).into_iter().skip(1) {
        if piece.starts_with(b"--") {
            break;
        }
        if let Some(part) = part(piece) {
            found.push(part);
        }
    }
    found
}

fn boundary(content_type: &str) -> Option<&str> {
    let (_, rest) = content_type.split_once("boundary=")?;
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(';').next().map(str::trim),
    }
}

fn split<'a>(body: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = body;
    while let Some(at) = rest
        .windows(mark.len())
        .position(|window| window == mark)
        .filter(|_| !mark.is_empty())
    {
        pieces.push(&rest[..at]);
        rest = &rest[at + mark.len()..];
    }
    pieces.push(rest);
    pieces
}

fn part(piece: &[u8]) -> Option<(String, String)> {
    let ends: [&[u8]; 2] = [b"\r\n\r\n", b"\n\n"];
    let found = ends.iter().filter_map(|end| {
        let at = piece.windows(end.len()).position(|window| window == *end)?;
        Some((at, end.len()))
    });
    let (at, length) = found.min()?;
    let head = String::from_utf8_lossy(&piece[..at]).into_owned();
    let content = &piece[at + length..];
    let content = content
        .strip_suffix(b"\r\n")
        .or(content.strip_suffix(b"\n"))
        .unwrap_or(content);
    let mut name = None;
    let mut encoded = false;
    for line in head.lines() {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        match key.trim().to_lowercase().as_str() {
            "content-disposition" => name = field_name(value),
            "content-transfer-encoding" => encoded = value.trim().eq_ignore_ascii_case("base64"),
            _ => {}
        }
    }
    let content = if encoded {
        let bytes: Vec<u8> = content
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        base64::engine::general_purpose::STANDARD
            .decode(bytes)
            .unwrap_or_default()
    } else {
        content.to_vec()
    };
    Some((name?, String::from_utf8_lossy(&content).into_owned()))
}

/// `form-data; name="cidr"`, quoted or not.
fn field_name(value: &str) -> Option<String> {
    let mut fields = value.split(';').map(str::trim);
    let name = fields.find_map(|field| field.strip_prefix("name="))?;
    Some(name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_with_either_line_end_plain_or_in_base64() {
        let plain = "--edge\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\ntwo\r\nlines\r\n--edge--\r\n";
        let read = parts("multipart/form-data; boundary=edge", plain.as_bytes());
        assert_eq!(read, [("name".to_owned(), "two\r\nlines".to_owned())]);
        // As Python's email package writes it: LF, a quoted boundary, base64 in lines, the name last or unquoted.
        let encoded = "--===1==\nContent-Type: text/plain; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\nContent-Disposition: form-data; name=cidr\n\nMTAuMC4w\nLjAvMjQ=\n--===1==\nContent-Disposition: form-data; filename=\"f\"; name=\"vlan\"\n\n5001\n--===1==--";
        let read = parts(
            "multipart/form-data; boundary=\"===1==\"",
            encoded.as_bytes(),
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read, [pair("cidr", "10.0.0.0/24"), pair("vlan", "5001")]);
        assert_eq!(parts("multipart/form-data", b"--x"), []);
    }
}
