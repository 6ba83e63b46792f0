//! Where the database is, and whether it is spoken to over TLS.
//!
//! A database that is not near is spoken to over TLS, and it is the one that the certificates say. A URL never appears in an
//! error.

use std::{net::IpAddr, sync::Arc};

use percent_encoding::percent_decode_str;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres::{
    Client, Config, Connection, Error, Socket,
    config::{Host, SslMode},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A database URL that can't be used. It is not quoted: it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not a URL, or one with parameters that nobody knows.
    #[error("the database URL can't be read as postgresql://user:password@host:port/database")]
    Unreadable,
    /// A word that libpq doesn't know either, or one that leaves TLS to the server.
    #[error("sslmode in the database URL is disable, or verify-full (so are require and verify-ca)")]
    Mode,
    /// `sslrootcert`.
    #[error("sslrootcert in the database URL: no certificates can be read from {path}: {reason}")]
    Certificates {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system's own certificates, as a rule.
    #[error("TLS to the database can't be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// A database URL, understood.
#[derive(Clone)]
pub struct Address {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
}

/// What a connection speaks through.
type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

impl Address {
    /// Understands `postgresql://user:password@host:port/database?sslmode=...&sslrootcert=FILE`.
    ///
    /// The README of the host says what `sslmode` means. A URL without it means `disable` where the database is near and
    /// `verify-full` elsewhere, so that no password and no reading crosses the internet in the clear.
    ///
    /// # Errors
    /// [`AddressError`]: not such a URL, another `sslmode`, a file without certificates.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (ours, others): (Vec<_>, Vec<_>) = parameters.split('&').partition(|parameter| {
            parameter.starts_with("sslmode=") || parameter.starts_with("sslrootcert=")
        });
        let own = |name: &str| {
            let mut values =
                ours.iter().filter_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='));
            values.next_back().map(|value| percent_decode_str(value).decode_utf8_lossy())
        };
        let mut config: Config =
            format!("{place}?{}", others.join("&")).parse().map_err(|_| AddressError::Unreadable)?;
        let mode = match own("sslmode").as_deref() {
            Some("disable") => SslMode::Disable,
            Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(_) => return Err(AddressError::Mode),
            None if config.get_hosts().iter().all(is_near) => SslMode::Disable,
            None => SslMode::Require,
        };
        config.ssl_mode(mode);
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = match own("sslrootcert") {
            _ if mode == SslMode::Disable => builder.with_root_certificates(RootCertStore::empty()),
            Some(path) => builder.with_root_certificates(certificates(&path)?),
            None => builder.with_platform_verifier()?,
        };
        Ok(Self { config, tls: MakeRustlsConnect::new(builder.with_no_client_auth()) })
    }

    /// Opens a connection: the client, and what has to be polled for it.
    ///
    /// # Errors
    /// When the database is away, is another one than it should be, or refuses.
    pub async fn connect(&self) -> Result<(Client, Connection<Socket, Stream>), Error> {
        self.config.connect(self.tls.clone()).await
    }
}

/// Whether the way there is this machine or a network of one's own.
fn is_near(host: &Host) -> bool {
    let Host::Tcp(name) = host else { return true };
    match name.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => !name.contains('.'),
    }
}

fn certificates(path: &str) -> Result<RootCertStore, AddressError> {
    let unusable = |reason: &dyn std::fmt::Display| AddressError::Certificates {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))? {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        store.add(certificate).map_err(|error| unusable(&error))?;
    }
    if store.is_empty() {
        return Err(unusable(&"it holds none"));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        Address::parse(url).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn only_what_is_near_is_spoken_to_in_the_clear_unasked() {
        let near = [
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "localhost",
            "db",
            "10.0.0.3",
            "172.20.0.2",
            "192.168.1.9",
            "[fd00::7]",
            "%2Fvar%2Frun%2Fpostgresql",
        ];
        for host in near {
            assert_eq!(mode(&format!("postgresql://u:p@{host}/postgres")), SslMode::Disable, "{host}");
        }
        let far = [
            "db.abc.supabase.co",
            "8.8.8.8",
            "172.32.0.1",
            "[2001:db8::1]",
            "localhost.example.org",
            "127.0.0.1.example.org",
        ];
        for host in far {
            assert_eq!(mode(&format!("postgresql://u:p@{host}/postgres")), SslMode::Require, "{host}");
        }
        // One that is far makes both so.
        assert_eq!(mode("postgresql://u:p@db:5432,db.example.org:5432/postgres"), SslMode::Require);
    }

    #[test]
    fn the_url_has_the_last_word() {
        assert_eq!(mode("postgresql://u:p@db.example.org/postgres?sslmode=disable"), SslMode::Disable);
        for word in ["require", "verify-ca", "verify-full", "verify%2Dfull"] {
            let url = format!(
                "postgresql://u:p@127.0.0.1/postgres?application_name=x&sslmode={word}&options=-c%20a%3Db"
            );
            let config = Address::parse(&url).unwrap().config;
            assert_eq!(config.get_ssl_mode(), SslMode::Require);
            assert_eq!((config.get_application_name(), config.get_options()), (Some("x"), Some("-c a=b")));
        }
    }

    #[test]
    fn what_leaves_tls_to_the_server_is_refused_and_so_is_a_file_without_certificates() {
        let refused = |url: &str| Address::parse(url).err().expect("it is refused").to_string();
        for word in ["allow", "prefer", "VERIFY-FULL", ""] {
            let error = refused(&format!("postgresql://u:planted@db.example.org/postgres?sslmode={word}"));
            assert!(error.contains("verify-full") && !error.contains("planted"), "{error}");
        }
        let cargo = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for file in [cargo, "/no/such/file"] {
            let error =
                refused(&format!("postgresql://u:planted@db.example.org/postgres?sslrootcert={file}"));
            assert!(error.contains(file) && !error.contains("planted"), "{error}");
        }
        assert!(refused("postgresql://u:planted@db.example.org:port/postgres").contains("can't be read"));
    }
}
