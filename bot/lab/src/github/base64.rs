//! Base64 (RFC 4648) as GitHub transfers file contents: output in lines of 60 characters, whitespace ignored in input.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes as one padded line.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0u32, |sum, at| {
            sum << 8 | u32::from(chunk.get(at).copied().unwrap_or(0))
        });
        for at in 0..4 {
            if at <= chunk.len() {
                let six = (group >> (18 - 6 * at)) & 63;
                out.push(char::from(ALPHABET[six as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// Encodes as lines of 60 characters, each with a line ending, as GitHub sends contents.
pub(crate) fn lines(bytes: &[u8]) -> String {
    let flat = encode(bytes);
    let mut out = String::new();
    for (at, letter) in flat.chars().enumerate() {
        out.push(letter);
        if at % 60 == 59 || at + 1 == flat.len() {
            out.push('\n');
        }
    }
    out
}

/// Decodes; `None` if there is an invalid character.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut held, mut bits) = (0u32, 0);
    for letter in text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=')
    {
        let six = ALPHABET.iter().position(|known| *known == letter)?;
        held = held << 6 | u32::try_from(six).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((held >> bits) & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, lines};

    #[test]
    fn encoded_text_decodes_to_itself() {
        for (text, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(encode(text.as_bytes()), coded);
            assert_eq!(decode(coded).as_deref(), Some(text.as_bytes()));
        }
        let long: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&lines(&long)), Some(long));
        assert_eq!(decode("?"), None);
    }
}
