//! Reads from an X.509 certificate what an error message names: who issued it, for whom, and until when.
//!
//! Only for messages, and for a certificate that the configuration trusts by itself: whom to trust is decided in
//! [`crate::trust`]. Must not know where a certificate came from.

use chrono::NaiveDateTime;

use crate::lines::in_a_line;

/// What a certificate says about itself. It is not proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFacts {
    /// `CN=maas CA, O=Example`.
    pub(crate) issuer: String,
    /// The same form.
    pub(crate) subject: String,
    /// UTC.
    pub(crate) not_before: NaiveDateTime,
    /// UTC.
    pub(crate) not_after: NaiveDateTime,
}

/// Names are shown up to this many characters.
const NAME_CHARS_MAX: usize = 120;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const UTF8_STRING: u8 = 0x0c;
const BMP_STRING: u8 = 0x1e;

impl CertificateFacts {
    /// `None` where the bytes are no certificate.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (certificate, _) = element(der, SEQUENCE)?;
        let (signed, _) = element(certificate, SEQUENCE)?;
        let rest = match any(signed)? {
            (VERSION, _, rest) => rest,
            _ => signed,
        };
        let (_, _serial, rest) = any(rest)?;
        let (_algorithm, rest) = element(rest, SEQUENCE)?;
        let (issuer, rest) = element(rest, SEQUENCE)?;
        let (validity, rest) = element(rest, SEQUENCE)?;
        let (subject, _) = element(rest, SEQUENCE)?;
        let (from, from_text, rest) = any(validity)?;
        let (until, until_text, _) = any(rest)?;
        Some(Self {
            issuer: name(issuer)?,
            subject: name(subject)?,
            not_before: time(from, from_text)?,
            not_after: time(until, until_text)?,
        })
    }

    /// Whether it claims to have issued itself.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.issuer == self.subject
    }
}

/// The tag, the contents and what follows of the first element.
fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let bytes = usize::from(first & 0x7f);
        // Four bytes are more than any certificate has.
        if bytes == 0 || bytes > 4 {
            return None;
        }
        let (length, rest) = rest.split_at_checked(bytes)?;
        let length = length
            .iter()
            .fold(0, |sum, &byte| (sum << 8) | usize::from(byte));
        (length, rest)
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

/// The contents of the first element, which must have this tag, and what follows.
fn element(der: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, contents, rest) = any(der)?;
    (tag == expected).then_some((contents, rest))
}

/// A distinguished name: a sequence of sets of pairs.
fn name(mut der: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while !der.is_empty() {
        let (_, mut set, rest) = any(der)?;
        der = rest;
        while !set.is_empty() {
            let (pair, others) = element(set, SEQUENCE)?;
            set = others;
            let (_, kind, value) = any(pair)?;
            let (tag, value, _) = any(value)?;
            parts.push(format!("{}={}", short(kind), text(tag, value)));
        }
    }
    let whole = in_a_line(&parts.join(", "));
    Some(whole.chars().take(NAME_CHARS_MAX).collect())
}

fn short(kind: &[u8]) -> &'static str {
    match kind {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        _ => "?",
    }
}

fn text(tag: u8, value: &[u8]) -> String {
    match tag {
        BMP_STRING => {
            let units: Vec<u16> = value
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            String::from_utf16_lossy(&units)
        }
        UTF8_STRING => String::from_utf8_lossy(value).into_owned(),
        // Latin 1 is a superset of all the others.
        _ => value.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// `YYMMDDhhmmssZ`, or the same with four digits of the year (RFC 5280, 4.1.2.5).
fn time(tag: u8, value: &[u8]) -> Option<NaiveDateTime> {
    let value = std::str::from_utf8(value).ok()?;
    let full = if tag == UTC_TIME {
        let year: u8 = value.get(..2)?.parse().ok()?;
        let century = if year < 50 { "20" } else { "19" };
        format!("{century}{value}")
    } else {
        value.to_owned()
    };
    NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%SZ").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_who_issued_it_and_until_when() {
        let der = crate::tests::tls::leaf_der();
        let facts = CertificateFacts::read(&der).unwrap();
        assert_eq!(facts.subject, "CN=maas.test");
        assert_eq!(facts.issuer, "O=Example, CN=Example test CA");
        assert!(!facts.is_self_signed());
        assert!(facts.not_before < facts.not_after);
    }

    #[test]
    fn what_is_no_certificate_says_nothing_at_any_length() {
        let der = crate::tests::tls::leaf_der();
        let whole = CertificateFacts::read(&der);
        for length in 0..der.len() {
            assert_eq!(CertificateFacts::read(&der[..length]), None, "{length}");
        }
        for at in 0..200 {
            let mut bent = der.clone();
            bent[at] ^= 0xff;
            // Any answer will do, as long as there is one.
            let _either = CertificateFacts::read(&bent) == whole;
        }
        assert_eq!(
            CertificateFacts::read(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
            None
        );
    }
}
