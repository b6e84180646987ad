//! The certificates that `SSL_CERT_FILE` and `SSL_CERT_DIR` name. The libraries would read
//! them themselves, without a bound and on the only thread.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blocking_io::read;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use settings::{Diagnostics, Environment};

use crate::ca_bundle::unreadable;

const FILE: &str = "SSL_CERT_FILE";
const DIR: &str = "SSL_CERT_DIR";

/// Most bytes of one file, and of all together. Debian's folder of certificates has each
/// of them three times, 0.7 MB in all.
const FILE_MAX: usize = 1024 * 1024;
const ALL_MAX: usize = 4 * FILE_MAX;

/// Most names in a folder that are looked at.
const NAMES_MAX: usize = 4096;

/// What was found.
#[derive(Debug, Default)]
pub struct Certificates {
    /// Each sound certificate once, in PEM form.
    pub pem: Vec<u8>,
    /// What cannot be read, with the reason. Certificates that are not sound are passed
    /// over, as they are by the libraries.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// The file and the folders that the variables of OpenSSL name.
#[derive(Clone, Debug)]
pub struct NamedCertificates {
    file: Option<PathBuf>,
    dirs: Vec<PathBuf>,
}

impl NamedCertificates {
    /// None if the variables name nothing, or `AWS_CA_BUNDLE` names others.
    #[must_use]
    pub fn of(environment: &Environment) -> Option<Self> {
        let file = environment.variable(FILE).map(PathBuf::from);
        let dirs = environment.variable(DIR).map(std::env::split_paths);
        let dirs: Vec<_> = dirs.into_iter().flatten().collect();
        let names_none = file.is_none() && dirs.is_empty();
        let are_others = environment.variable("AWS_CA_BUNDLE").is_some();
        (!names_none && !are_others).then_some(Self { file, dirs })
    }

    /// Reads them. May block, as any look at a file.
    #[must_use]
    pub fn read(&self) -> Certificates {
        Certificates::read(self.file.as_deref(), &self.dirs)
    }

    /// The certificates that were found. Other programs read these variables too, so what cannot be
    /// read is told, and missing only where it is needed.
    pub fn take(&self, found: io::Result<&Certificates>, diagnostics: &mut Diagnostics) -> Vec<u8> {
        let setting = |path: Option<&Path>| match path.or(self.file.as_deref()) {
            Some(path) if self.file.as_deref() == Some(path) => FILE,
            _ => DIR,
        };
        match found {
            Ok(found) => {
                for (path, error) in &found.unreadable {
                    diagnostics.warning(setting(Some(path)), unreadable(path, error));
                }
                found.pem.clone()
            }
            Err(error) => {
                diagnostics.warning(setting(None), error);
                Vec::new()
            }
        }
    }
}

impl Certificates {
    fn read(file: Option<&Path>, dirs: &[PathBuf]) -> Self {
        let mut found = Self::default();
        let mut reader = Reader::default();
        if let Some(file) = file {
            reader.take(file).unwrap_or_else(|error| {
                found.unreadable.push((file.to_owned(), error));
            });
        }
        for dir in dirs {
            reader.take_dir(dir).unwrap_or_else(|error| {
                found.unreadable.push((dir.to_owned(), error));
            });
        }
        for certificate in reader.certificates {
            let begin = "-----BEGIN CERTIFICATE-----\n";
            found.pem.extend_from_slice(begin.as_bytes());
            found.pem.extend(STANDARD.encode(&certificate).into_bytes());
            let end = "\n-----END CERTIFICATE-----\n";
            found.pem.extend_from_slice(end.as_bytes());
        }
        found
    }
}

#[derive(Default)]
struct Reader {
    certificates: BTreeSet<Vec<u8>>,
    bytes: usize,
}

impl Reader {
    /// What is no file in it is passed over, as are links to nothing (`openssl rehash`
    /// leaves them behind). Of the files that cannot be read the first is told.
    fn take_dir(&mut self, dir: &Path) -> io::Result<()> {
        let mut outcome = Ok(());
        for entry in dir.read_dir()?.take(NAMES_MAX) {
            let path = entry?.path();
            if path.is_file() {
                let taken = self.take(&path);
                outcome = outcome.and(taken);
            }
        }
        outcome
    }

    fn take(&mut self, path: &Path) -> io::Result<()> {
        let content = read(path, FILE_MAX.min(ALL_MAX - self.bytes))?;
        self.bytes += content.len();
        for certificate in CertificateDer::pem_slice_iter(&content).flatten() {
            if RootCertStore::empty().add(certificate.clone()).is_ok() {
                self.certificates.insert(certificate.to_vec());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CA: &str = include_str!("../../test-support/tls/ca.pem");

    fn count(found: &Certificates) -> usize {
        let read = CertificateDer::pem_slice_iter(&found.pem);
        read.map(|certificate| RootCertStore::empty().add(certificate.unwrap()).unwrap())
            .count()
    }

    #[test]
    fn each_sound_certificate_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name| dir.path().join(name);
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(path("a.pem"), format!("{broken}{CA}")).unwrap();
        std::os::unix::fs::symlink(path("a.pem"), path("0.hash")).unwrap();
        std::os::unix::fs::symlink(path("gone"), path("1.hash")).unwrap();
        std::fs::create_dir(path("folder")).unwrap();
        let found = Certificates::read(Some(&path("a.pem")), &[dir.path().to_owned()]);
        assert_eq!(count(&found), 1);
        assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    }

    #[test]
    fn what_has_no_end_is_told_and_the_rest_taken() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), CA).unwrap();
        let large = tempfile::NamedTempFile::new().unwrap();
        large.as_file().set_len(FILE_MAX as u64 + 1).unwrap();
        for file in [Path::new("/dev/zero"), large.path(), Path::new("/no/such")] {
            let dirs = [dir.path().to_owned(), "/no/such/folder".into()];
            let found = Certificates::read(Some(file), &dirs);
            assert_eq!(count(&found), 1);
            let unreadable: Vec<_> = found.unreadable.iter().map(|(path, _)| &**path).collect();
            assert_eq!(unreadable, [file, &dirs[1]]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_the_variable_that_names_it() {
        let named = [(FILE, "/no/such"), (DIR, "/no/such/folder")];
        let variables = named.map(|(name, value)| (name.into(), value.into()));
        let named = NamedCertificates::of(&variables.into_iter().collect()).unwrap();
        let mut diagnostics = Diagnostics::default();
        assert!(named.take(Ok(&named.read()), &mut diagnostics).is_empty());
        let places = diagnostics.warnings.iter();
        let places: Vec<_> = places.map(|warning| warning.place.to_string()).collect();
        assert_eq!(places, [FILE, DIR]);
        let others = [(FILE, "/no/such"), ("AWS_CA_BUNDLE", "/ca.pem")];
        let variables = others.map(|(name, value)| (name.into(), value.into()));
        assert!(NamedCertificates::of(&variables.into_iter().collect()).is_none());
    }
}
