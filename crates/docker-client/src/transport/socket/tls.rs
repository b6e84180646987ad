//! TLS as `docker --tlsverify` does it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::address::Certificates;
use crate::error::DockerClientError;

/// A connector that trusts `ca.pem`, else the system's authorities, and shows `cert.pem` if it
/// is there.
pub(crate) fn connector(certificates: &Certificates) -> Result<TlsConnector, DockerClientError> {
    let folder = certificates.folder.as_deref();
    let there = |name: &str| {
        folder
            .map(|folder| folder.join(name))
            .filter(|path| path.exists())
    };
    let mut roots = RootCertStore::empty();
    match there("ca.pem") {
        Some(path) => {
            for certificate in read_certificates(&path)? {
                roots
                    .add(certificate)
                    .map_err(|error| refused(&path, io::Error::other(error)))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(roots);
    let config = match (there("cert.pem"), there("key.pem")) {
        (Some(certificate), Some(path)) => {
            let key = PrivateKeyDer::from_pem_file(&path)
                .map_err(|error| refused(&path, io::Error::other(error)))?;
            builder
                .with_client_auth_cert(read_certificates(&certificate)?, key)
                .map_err(|error| refused(&path, io::Error::other(error)))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

pub(crate) fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, DockerClientError> {
    let pem = fs::read(path).map_err(|error| refused(path, error))?;
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| refused(path, io::Error::other(error)))
}

fn refused(path: &Path, source: io::Error) -> DockerClientError {
    DockerClientError::LocalFile {
        operation: "use",
        path: path.to_owned(),
        source,
    }
}
