//! Packages that depend on the library as a cell does: manifest, profile and versions of their
//! dependencies.

use std::path::Path;

use super::files::{at, write_if_changed};
use super::project::Project;
use super::{Failure, Result};

/// Writes an empty package that depends on the library as a cell does, with more sections in its
/// manifest.
///
/// # Errors
/// A file cannot be written.
pub fn write_package(project: &Project, folder: &Path, sections: &str) -> Result<()> {
    let name = folder.file_name().unwrap_or_default();
    let dependency = dependency(project)?;
    let manifest = format!(
        "[package]\nname = {name:?}\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n\n{sections}",
    );
    write_if_changed(&folder.join("Cargo.toml"), &manifest)?;
    write_if_changed(&folder.join("src/lib.rs"), "")
}

/// The library as a manifest and a cell's `:dep` name it: without the command line, which a cell
/// has no use for. The kernel's program adds the same to a cell's own `:dep`.
///
/// # Errors
/// The checkout's path is not UTF-8.
pub fn dependency(project: &Project) -> Result<String> {
    let root = quoted(&project.root)?;
    let features = if cfg!(feature = "cuda") {
        ", features = [\"cuda\"]"
    } else {
        ""
    };
    Ok(format!(
        "isopath = {{ path = {root}, default-features = false{features} }}"
    ))
}

/// A path as a string of TOML.
///
/// # Errors
/// A path that is not UTF-8, which no manifest can name.
pub fn quoted(path: &Path) -> Result<String> {
    let text = path
        .to_str()
        .ok_or_else(|| Failure(format!("{}: expected a path in UTF-8", path.display())))?;
    // JSON's strings are TOML's. Debug's are not: it escapes accents that stand alone.
    Ok(serde_json::Value::from(text).to_string())
}

/// Gives the package or workspace in `folder` the versions of the crate's Cargo.lock, whatever has
/// been published since.
///
/// # Errors
/// A file cannot be read or written.
pub fn copy_lock_file(project: &Project, folder: &Path) -> Result<()> {
    let lock = project.root.join("Cargo.lock");
    write_if_changed(
        &folder.join("Cargo.lock"),
        &std::fs::read_to_string(&lock).map_err(at(&lock))?,
    )
}

/// The sections of the crate's Cargo.toml that say how it is compiled: `[profile.dev]` and
/// `[profile.dev.package]`.
///
/// # Errors
/// There is none, or the file cannot be read.
pub fn profile(root: &Path) -> Result<String> {
    let path = root.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).map_err(at(&path))?;
    let section: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "[profile.dev]")
        .take_while(|line| !line.starts_with('[') || line.starts_with("[profile.dev"))
        .collect();
    if section.is_empty() {
        return Err(Failure(format!(
            "{}: no section [profile.dev]; check the repository out again",
            path.display()
        )));
    }
    Ok(section.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_folder_s_name_is_a_string_of_toml() {
        for name in ["/a b/c", "/it's", "/a\"b\\c", "/ก\u{e34}น/e\u{301}"] {
            let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
            assert_eq!(quoted(Path::new(name)).unwrap(), format!("\"{escaped}\""));
        }
        let odd = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"/a\xff");
        assert!(
            quoted(Path::new(odd))
                .unwrap_err()
                .to_string()
                .contains("expected a path in UTF-8")
        );
    }
}
