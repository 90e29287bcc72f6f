//! The compiler and cargo that cells are compiled with.

use std::path::{Path, PathBuf};

use super::super::command::{command, find, output, run};
use super::super::files::{at, write_if_changed};
use super::super::{Failure, Result};

/// Which compiler and which cargo.
#[derive(Debug, PartialEq)]
pub struct Toolchain {
    /// The compiler itself, not rustup's stand-in, which would choose anew at each call.
    pub rustc: PathBuf,
    /// The cargo beside it.
    pub cargo: PathBuf,
    /// The compiler's version in full, by which compiled code is told from that of another
    /// compiler.
    version: String,
}

impl Toolchain {
    /// What rustup chooses, or what is on `PATH`: as evcxr looks for it.
    ///
    /// # Errors
    /// There is none, or the compiler does not run.
    pub fn locate() -> Result<Self> {
        let rustc = locate("rustc")?;
        let version = format!("{}\n", output(command(&rustc).arg("-Vv"))?);
        Ok(Self {
            rustc,
            cargo: locate("cargo")?,
            version,
        })
    }

    /// Where the source of the standard library lies, by which evcxr tells the types of a cell's
    /// variables; none if it is not installed.
    pub fn source(&self) -> Option<PathBuf> {
        let of_toolchain = self
            .rustc
            .ancestors()
            .nth(2)
            .map(|sysroot| sysroot.join("lib/rustlib/src/rust/library"));
        let named = std::env::var_os("RUST_SRC_PATH").map(PathBuf::from);
        named
            .into_iter()
            .chain(of_toolchain)
            .find(|source| source.is_dir())
    }

    /// Finds the source of the standard library, or installs it with rustup.
    ///
    /// # Errors
    /// It cannot be installed.
    pub fn find_or_install_source(&self) -> Result<PathBuf> {
        if let Some(source) = self.source() {
            return Ok(source);
        }
        let remedy = "cells need the standard library's source; install it with `rustup component add rust-src` or as conda's package rust-src";
        println!("installing the source of the standard library");
        run(
            command("rustup").args(["component", "add", "rust-src"]),
            remedy,
        )?;
        self.source().ok_or_else(|| {
            Failure(format!(
                "{} has no source of the standard library; {remedy}",
                self.rustc.display()
            ))
        })
    }

    /// Notes that the folder `of` holds this compiler's code.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note(&self, of: &Path) -> Result<()> {
        write_if_changed(&note(of), &self.version)
    }

    /// Whether the folder `of` holds this compiler's code.
    ///
    /// # Errors
    /// The note cannot be read.
    pub fn made(&self, of: &Path) -> Result<bool> {
        match std::fs::read_to_string(note(of)) {
            Ok(text) => Ok(text == self.version),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(at(&note(of))(error)),
        }
    }
}

fn note(folder: &Path) -> PathBuf {
    folder.join("rustc.txt")
}

fn locate(program: &str) -> Result<PathBuf> {
    if find("rustup").is_some()
        && let Ok(path) = output(command("rustup").args(["which", program]))
    {
        return Ok(path.into());
    }
    find(program).ok_or_else(|| {
        Failure(format!(
            "{program} is not on PATH; install Rust with rustup"
        ))
    })
}
