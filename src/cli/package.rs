//! Packages that depend on the library as a cell does: manifest, profile and versions of their dependencies.

use std::path::Path;

use super::files::{at, write_if_changed};
use super::project::Project;
use super::{Failure, Result};

/// Writes an empty package that depends on the library as a cell does, with more sections in its manifest.
///
/// # Errors
/// A file cannot be written.
pub fn write_package(project: &Project, folder: &Path, sections: &str) -> Result<()> {
    let name = folder.file_name().unwrap_or_default();
    let features: &[&str] = if cfg!(feature = "cuda") { &["cuda"] } else { &[] };
    let manifest = format!(
        "[package]\nname = {name:?}\nedition = \"2024\"\n\n[dependencies]\nisopath = {{ path = {:?}, features = {features:?} }}\n\n{sections}",
        project.root,
    );
    write_if_changed(&folder.join("Cargo.toml"), &manifest)?;
    write_if_changed(&folder.join("src/lib.rs"), "")
}

/// Gives the package or workspace in `folder` the versions of the crate's Cargo.lock, whatever has been published since.
///
/// # Errors
/// A file cannot be read or written.
pub fn copy_lock_file(project: &Project, folder: &Path) -> Result<()> {
    let lock = project.root.join("Cargo.lock");
    write_if_changed(&folder.join("Cargo.lock"), &std::fs::read_to_string(&lock).map_err(at(&lock))?)
}

/// The `[profile.dev]` section of the crate's Cargo.toml.
///
/// # Errors
/// There is none, or the file cannot be read.
pub fn profile(root: &Path) -> Result<String> {
    let path = root.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).map_err(at(&path))?;
    let section: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "[profile.dev]")
        .enumerate()
        .take_while(|(number, line)| *number == 0 || !line.starts_with('['))
        .map(|(_, line)| line)
        .collect();
    if section.is_empty() {
        return Err(Failure(format!("{}: no section [profile.dev]", path.display())));
    }
    Ok(section.join("\n"))
}
