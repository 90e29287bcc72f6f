//! The Hugging Face hub, as candle-datasets reads it.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use candle_datasets::vision::Dataset;

use super::source::{FileCallback, Files, Source};
use crate::error::{Error, Result};
use crate::interrupt::within;

/// The Hugging Face hub as a source, whose images are re-packed into the files of the release.
///
/// hf-hub has no time limit of its own and tries six times, so we first try to connect. If that
/// fails, the reader gets `connect_timeout`, enough to read a copy from its cache.
#[derive(Clone, Debug)]
pub struct Hub {
    /// The `host:port` that is tried first; none behind a proxy, which only the reader knows.
    pub address: Option<String>,
    /// The reader of the hub's copy.
    pub load: fn() -> candle_core::Result<Dataset>,
    /// The function that makes the set's files from what the reader gives.
    pub repack: fn(&Dataset) -> Result<Files>,
    /// The time limit for a hub without a connection: half of it for trying to connect, all of it
    /// for reading a copy from the cache.
    pub connect_timeout: Duration,
    /// The time limit of a download.
    pub download_timeout: Duration,
}

impl Hub {
    /// Makes a source of the hub's copy of a set: how candle-datasets reads it, and how the files
    /// of the release are made of that. `HF_ENDPOINT` may name another hub.
    pub fn new(
        load: fn() -> candle_core::Result<Dataset>,
        repack: fn(&Dataset) -> Result<Files>,
    ) -> Self {
        let proxied = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        let endpoint =
            std::env::var("HF_ENDPOINT").unwrap_or_else(|_| "https://huggingface.co".into());
        Self {
            address: (!proxied).then(|| address_of(&endpoint)),
            load,
            repack,
            connect_timeout: Duration::from_secs(8),
            download_timeout: Duration::from_secs(600),
        }
    }

    /// Tries to connect to the hub, within a time limit: without a name server the look-up alone may
    /// take minutes.
    fn try_connect(&self) -> Result<()> {
        let Some(address) = self.address.clone() else {
            return Ok(());
        };
        let timeout = self.connect_timeout / 2;
        let connect = {
            let address = address.clone();
            move || {
                let mut last = io::Error::other("the name has no address");
                let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
                // The first may be one of a network that swallows everything, as a broken route for
                // IPv6 does.
                let share = timeout / u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
                for address in addresses {
                    match TcpStream::connect_timeout(&address, share) {
                        Ok(_) => return Ok(()),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        };
        within(&address, timeout, connect)?.map_err(Error::io(address))
    }
}

/// The `host:port` of a URL.
fn address_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let host = rest.split('/').next().unwrap_or(rest);
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (has_port, scheme) {
        (true, _) => host.to_string(),
        (false, "http") => format!("{host}:80"),
        (false, _) => format!("{host}:443"),
    }
}

impl Source for Hub {
    fn name(&self) -> String {
        "the Hugging Face hub".into()
    }

    fn download(&self, _scratch: &Path, on_file: FileCallback<'_>) -> Result<()> {
        let (load, repack) = (self.load, self.repack);
        let connected = self.try_connect();
        let limit = if connected.is_ok() {
            self.download_timeout
        } else {
            self.connect_timeout
        };
        // In a thread of its own, since the reader of candle-datasets unwraps what it decodes.
        let read = within(&self.name(), limit, move || repack(&load()?)).flatten();
        let files = match (read, connected) {
            (Ok(files), _) => files,
            (Err(Error::Interrupted), _) => return Err(Error::Interrupted),
            (Err(_), Err(closed)) => return Err(closed),
            (Err(error), Ok(())) => return Err(error),
        };
        files
            .iter()
            .try_for_each(|(name, bytes)| on_file(name, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_the_scheme_s_port_unless_the_url_names_one() {
        assert_eq!(address_of("https://huggingface.co"), "huggingface.co:443");
        assert_eq!(address_of("http://mirror.example/hf/"), "mirror.example:80");
        assert_eq!(address_of("http://localhost:8080/x"), "localhost:8080");
        assert_eq!(address_of("mirror.example"), "mirror.example:443");
    }
}
