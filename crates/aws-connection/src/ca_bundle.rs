//! The certificates that `AWS_CA_BUNDLE` names: what is wrong with them.

use std::io;
use std::path::{Path, PathBuf};

use diagnostics::shown_path;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use settings::Diagnostics;

/// A path, and what the file system answered when it was asked for it.
pub type FileRead<T> = (PathBuf, io::Result<T>);

/// Why the certificates of `AWS_CA_BUNDLE` are refused, and what would be right.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum CaBundleError {
    #[error("holds no certificate, give a file of certificates in PEM form")]
    NoCertificate,
    #[error("is broken at certificate {number}: {fault}; give a file of certificates in PEM form")]
    Broken { number: usize, fault: &'static str },
}

/// The certificates to trust, which whoever connects then takes for sound: the SDK
/// panics at the first connection if they are not.
pub fn ca_bundle(asked: Option<&FileRead<Vec<u8>>>, findings: &mut Diagnostics) -> Option<Vec<u8>> {
    let (path, content) = asked?;
    let problem = match content {
        Ok(pem) => match certificates(pem) {
            Ok(()) => return Some(pem.clone()),
            Err(error) => format!("{} {error}", shown_path(path)),
        },
        Err(error) => unreadable(path, error),
    };
    findings.problem("AWS_CA_BUNDLE", problem);
    None
}

/// One broken certificate would otherwise be noticed only by the connection that needs it.
fn certificates(pem: &[u8]) -> Result<(), CaBundleError> {
    let mut roots = RootCertStore::empty();
    for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
        let broken = |fault| CaBundleError::Broken { number, fault };
        // What the library says of it shows bytes of the file, which may hold a key too.
        let certificate = certificate.map_err(|error| {
            broken(match error {
                PemError::MissingSectionEnd { .. } => "its END line is missing",
                PemError::Base64Decode(_) => "it is not base64",
                _ => "it is not PEM",
            })
        })?;
        let added = roots.add(certificate);
        added.map_err(|_| broken("it is no X.509 certificate"))?;
    }
    if roots.is_empty() {
        return Err(CaBundleError::NoCertificate);
    }
    Ok(())
}

/// What to say of a file that cannot be read.
#[must_use]
pub fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", shown_path(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CA: &[u8] = include_bytes!("../../test-support/tls/ca.pem");
    const KEY: &[u8] = include_bytes!("../../test-support/tls/server.key");

    #[test]
    fn bundle_must_hold_certificates_and_nothing_broken() {
        assert_eq!(certificates(CA), Ok(()));
        assert_eq!(certificates(&[KEY, CA, CA].concat()), Ok(()));
        for none in [&b""[..], b"not PEM", KEY] {
            assert_eq!(certificates(none), Err(CaBundleError::NoCertificate));
        }
        let cut_off = &CA[..CA.len() / 2];
        let not_base64 = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        let not_x509 = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (broken, expected) in [
            (cut_off, "its END line is missing"),
            (not_base64, "it is not base64"),
            (not_x509, "it is no X.509 certificate"),
        ] {
            let error = |number| {
                let fault = expected;
                Err(CaBundleError::Broken { number, fault })
            };
            assert_eq!(certificates(broken), error(1));
            assert_eq!(certificates(&[CA, broken].concat()), error(2));
        }
    }
}
