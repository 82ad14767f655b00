//! Which certificate a MAAS may show: one that the machine's authorities issued, one of an authority of its own, or one that
//! is pinned.
//!
//! The choice holds for MAAS's own host. A proxy that is reached over TLS is verified as the machine does it. Must not know
//! how the settings are written.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest as _, Sha256};

use crate::certificate::CertificateFacts;

/// Whom to trust as one MAAS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CertificateTrust {
    /// What the machine trusts.
    #[default]
    Machine,
    /// Only what these authorities issued, or one of these certificates itself.
    Authorities(Vec<CertificateDer<'static>>),
    /// Only a certificate with one of these fingerprints, whatever its name and dates.
    Pins(Vec<CertificatePin>),
}

/// The SHA-256 of a whole certificate, as `openssl x509 -noout -fingerprint -sha256 -in FILE` prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CertificatePin([u8; 32]);

/// Why a text is neither a pin nor a file of certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The text is no fingerprint.
    #[error(
        "`{0}` is not a certificate's SHA-256 fingerprint: write 64 hex digits, as `openssl x509 -noout -fingerprint -sha256 -in FILE` prints them"
    )]
    Pin(String),
    /// The file holds none.
    #[error(
        "no certificate in it: it must be PEM, with a block that begins with `-----BEGIN CERTIFICATE-----`"
    )]
    NoCertificate,
    /// A block cannot be decoded.
    #[error("certificate {0} in it cannot be read")]
    Certificate(usize),
}

impl CertificateTrust {
    /// The authorities in a PEM file. Other blocks, such as keys, are skipped.
    pub fn authorities(pem: &[u8]) -> Result<Self, TrustError> {
        let mut certificates = Vec::new();
        for block in CertificateDer::pem_slice_iter(pem) {
            let number = certificates.len() + 1;
            let readable = block
                .ok()
                .filter(|der| CertificateFacts::read(der).is_some())
                .ok_or(TrustError::Certificate(number))?;
            certificates.push(readable);
        }
        if certificates.is_empty() {
            return Err(TrustError::NoCertificate);
        }
        Ok(Self::Authorities(certificates))
    }

    /// The TLS settings of a client that speaks to the MAAS at `host`.
    pub(crate) fn client_config(self, host: &str) -> Result<ClientConfig, Error> {
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = Arc::new(TrustVerifier {
            issued: self.issued(&crypto)?,
            maas: ServerName::try_from(host.to_owned()).ok(),
            trust: self,
            machine: OnceLock::new(),
            crypto: Arc::clone(&crypto),
        });
        Ok(ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth())
    }

    /// A verifier of what the configured authorities issued.
    fn issued(
        &self,
        crypto: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<WebPkiServerVerifier>>, Error> {
        let Self::Authorities(certificates) = self else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        // A certificate that cannot be an authority may still be MAAS's own.
        roots.add_parsable_certificates(certificates.iter().cloned());
        if roots.is_empty() {
            return Ok(None);
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(crypto))
            .build()
            .map(Some)
            .map_err(|error| Error::Other(OtherError(Arc::new(error))))
    }
}

impl CertificatePin {
    /// The pin of this certificate.
    pub(crate) fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl FromStr for CertificatePin {
    type Err = TrustError;

    /// Hex digits with or without colons, also with what openssl writes before them.
    fn from_str(text: &str) -> Result<Self, TrustError> {
        let (_, digits) = text
            .trim()
            .rsplit_once(['=', ' '])
            .unwrap_or(("", text.trim()));
        let plain = digits.strip_prefix("sha256:").unwrap_or(digits);
        let plain = plain.replace(':', "");
        let bytes = hex::decode(plain).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| TrustError::Pin(text.trim().chars().take(100).collect()))
    }
}

/// As openssl prints it.
impl fmt::Display for CertificatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.0.iter().map(|byte| format!("{byte:02X}"));
        f.write_str(&pairs.collect::<Vec<_>>().join(":"))
    }
}

impl fmt::Debug for CertificatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why the certificate that was shown is not accepted, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CertificateProblem(String);

#[derive(Debug)]
struct TrustVerifier {
    trust: CertificateTrust,
    /// `None` where the host of the URL is no name that a certificate may have.
    maas: Option<ServerName<'static>>,
    issued: Option<Arc<WebPkiServerVerifier>>,
    /// Read at the first need: it takes longer than most requests.
    machine: OnceLock<Result<rustls_platform_verifier::Verifier, Error>>,
    crypto: Arc<CryptoProvider>,
}

impl TrustVerifier {
    fn machine(&self) -> Result<&rustls_platform_verifier::Verifier, Error> {
        let made = self
            .machine
            .get_or_init(|| rustls_platform_verifier::Verifier::new(Arc::clone(&self.crypto)));
        made.as_ref().map_err(Clone::clone)
    }

    fn by_authority(
        &self,
        certificates: &[CertificateDer<'static>],
        shown: &Shown<'_>,
    ) -> Result<ServerCertVerified, Error> {
        // The verifier accepts no certificate of an authority as a server's own, which is what `openssl req -x509` makes.
        if certificates.iter().any(|known| known == shown.certificate) {
            return shown.is_current_and_named();
        }
        match &self.issued {
            Some(issued) => shown.verify_by(&**issued),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    /// What to do about it, in place of the verifier's word for it.
    fn explain(&self, error: Error, shown: &Shown<'_>) -> Error {
        let Error::InvalidCertificate(reason) = &error else {
            return error;
        };
        let text = shown.complaint(reason, &self.trust);
        CertificateError::Other(OtherError(Arc::new(CertificateProblem(text)))).into()
    }
}

/// What a server showed, and as whom.
struct Shown<'a> {
    certificate: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    host: &'a ServerName<'a>,
    ocsp_response: &'a [u8],
    now: UnixTime,
}

impl Shown<'_> {
    fn verify_by(&self, verifier: &dyn ServerCertVerifier) -> Result<ServerCertVerified, Error> {
        verifier.verify_server_cert(
            self.certificate,
            self.intermediates,
            self.host,
            self.ocsp_response,
            self.now,
        )
    }

    fn is_current_and_named(&self) -> Result<ServerCertVerified, Error> {
        let bad = || Error::from(CertificateError::BadEncoding);
        let facts = CertificateFacts::read(self.certificate).ok_or_else(bad)?;
        let now = i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX);
        if now < facts.not_before.and_utc().timestamp() {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > facts.not_after.and_utc().timestamp() {
            return Err(CertificateError::Expired.into());
        }
        let parsed = ParsedCertificate::try_from(self.certificate)?;
        rustls::client::verify_server_name(&parsed, self.host)?;
        Ok(ServerCertVerified::assertion())
    }

    fn complaint(&self, reason: &CertificateError, trust: &CertificateTrust) -> String {
        let pin = CertificatePin::of(self.certificate);
        let pin_hint = format!(
            "or set `maas_certificate_pin` to its SHA-256 fingerprint, {pin}, after you have compared it on the MAAS host"
        );
        if let CertificateTrust::Pins(_) = trust {
            return format!(
                "the certificate of `{}` is not a pinned one: its SHA-256 fingerprint is {pin}; if MAAS has a new certificate, compare it on the MAAS host and set `maas_certificate_pin` to it",
                self.host.to_str()
            );
        }
        let host = self.host.to_str();
        let facts = CertificateFacts::read(self.certificate);
        match (reason, facts) {
            (CertificateError::Expired | CertificateError::ExpiredContext { .. }, Some(facts)) => {
                format!(
                    "the certificate of `{host}` expired on {} UTC: renew it on the MAAS host, or put this machine's clock right",
                    facts.not_after
                )
            }
            (
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
                Some(facts),
            ) => format!(
                "the certificate of `{host}` is valid only from {} UTC: put this machine's clock right, or the certificate",
                facts.not_before
            ),
            (CertificateError::NotValidForName, Some(facts)) => format!(
                "the certificate (`{}`) is not for `{host}`: use a name from the certificate in `maas_url`, {pin_hint}",
                facts.subject
            ),
            (CertificateError::NotValidForNameContext { presented, .. }, Some(facts)) => {
                let names = presented.iter().take(10).map(|name| name.replace('`', ""));
                let names = names.collect::<Vec<_>>().join("`, `");
                format!(
                    "the certificate (`{}`) is for `{names}`, not for `{host}`: use such a name in `maas_url`, {pin_hint}",
                    facts.subject
                )
            }
            (_, Some(facts)) if facts.is_self_signed() => format!(
                "the certificate of `{host}` is self-signed (`{}`) and not trusted here: set `maas_ca_file` to a file with this certificate (PEM), {pin_hint}",
                facts.subject
            ),
            (CertificateError::UnknownIssuer, Some(facts)) => {
                let place = match trust {
                    CertificateTrust::Authorities(_) => "which is not in `maas_ca_file`",
                    CertificateTrust::Machine | CertificateTrust::Pins(_) => {
                        "which this machine does not trust"
                    }
                };
                format!(
                    "the certificate of `{host}` was issued by `{}`, {place}: set `maas_ca_file` to a file with that authority's certificate (PEM), {pin_hint}",
                    facts.issuer
                )
            }
            (reason, _) => {
                format!(
                    "the certificate of `{host}` cannot be verified ({reason}): renew it, {pin_hint}"
                )
            }
        }
    }
}

impl ServerCertVerifier for TrustVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Shown {
            certificate: end_entity,
            intermediates,
            host: server_name,
            ocsp_response,
            now,
        };
        if self.maas.as_ref() != Some(server_name) {
            return shown.verify_by(self.machine()?);
        }
        let verified = match &self.trust {
            CertificateTrust::Machine => self.machine().and_then(|it| shown.verify_by(it)),
            CertificateTrust::Authorities(known) => self.by_authority(known, &shown),
            CertificateTrust::Pins(pins) if pins.contains(&CertificatePin::of(end_entity)) => {
                Ok(ServerCertVerified::assertion())
            }
            CertificateTrust::Pins(_) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
        };
        verified.map_err(|error| self.explain(error, &shown))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
