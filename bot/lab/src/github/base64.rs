//! Base64 (RFC 4648) as GitHub transfers file contents: output in lines of 60 characters, whitespace ignored in input.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Text without its padding is decoded too.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// In lines of 60 characters, each ended.
pub(crate) fn lines(bytes: &[u8]) -> String {
    let mut out = String::new();
    for line in bytes.chunks(45) {
        LENIENT.encode_string(line, &mut out);
        out.push('\n');
    }
    out
}

/// The bytes; `None` where a character does not belong.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let flat: String = text.split_ascii_whitespace().collect();
    LENIENT.decode(flat).ok()
}

#[cfg(test)]
mod tests {
    use super::{decode, lines};

    #[test]
    fn what_goes_out_comes_back() {
        for (text, coded) in [
            ("", ""),
            ("f", "Zg==\n"),
            ("fo", "Zm8=\n"),
            ("foo", "Zm9v\n"),
            ("foob", "Zm9vYg==\n"),
        ] {
            assert_eq!(lines(text.as_bytes()), coded);
            assert_eq!(decode(coded).as_deref(), Some(text.as_bytes()));
        }
        let long: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&lines(&long)), Some(long));
        assert_eq!(decode("Zg"), Some(b"f".to_vec()));
        assert_eq!(decode("?"), None);
    }
}
