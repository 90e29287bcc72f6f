//! evcxr_jupyter: which one, and how it is installed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::command::{command, run};
use super::environment::Environment;
use super::project::Project;
use super::{Failure, Result};

/// The version that the kernel folders are made for: they rely on how it calls cargo.
pub const VERSION: &str = "0.22.0";

/// The installed evcxr_jupyter of the right version: in the environment, or in cargo's home.
pub fn find(environment: &Environment) -> Option<PathBuf> {
    [Some(environment.prefix.clone()), cargo_home()].into_iter().flatten().find_map(|root| installed_in(&root))
}

/// The version is read from cargo's record of what it installed, since evcxr_jupyter does not tell its own.
fn installed_in(root: &Path) -> Option<PathBuf> {
    let record = std::fs::read_to_string(root.join(".crates.toml")).ok()?;
    let binary = root.join("bin/evcxr_jupyter");
    (record.contains(&format!("\"evcxr_jupyter {VERSION} ")) && binary.is_file()).then_some(binary)
}

fn cargo_home() -> Option<PathBuf> {
    let default = || std::env::home_dir().map(|home| home.join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(default)
}

/// Finds evcxr_jupyter, or installs it into the environment. An interrupted build goes on where it stopped.
///
/// # Errors
/// cargo cannot build it.
pub fn find_or_install(project: &Project, environment: &Environment) -> Result<PathBuf> {
    if let Some(binary) = find(environment) {
        return Ok(binary);
    }
    println!("compiling evcxr_jupyter {VERSION}, the Rust kernel: once, 10 to 20 minutes on two cores");
    let start = Instant::now();
    let build = project.target.join("evcxr_jupyter");
    // From the root folder: the flags of this project's .cargo/config.toml are not for a program of its own.
    run(
        command("cargo")
            .current_dir("/")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("RUSTFLAGS")
            .args(["install", "--locked", "--quiet", "--version", VERSION, "evcxr_jupyter", "--root"])
            .arg(&environment.prefix)
            .arg("--target-dir")
            .arg(&build),
        "what was compiled is kept: run it again",
    )?;
    // Three gigabytes that nothing reads again.
    let _ = std::fs::remove_dir_all(&build);
    println!("compiled in {:.0} s", start.elapsed().as_secs_f64());
    find(environment)
        .ok_or_else(|| Failure(format!("cargo installed no evcxr_jupyter in {}", environment.prefix.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_version_counts() {
        let root = tempfile::tempdir().unwrap();
        assert!(installed_in(root.path()).is_none());
        std::fs::create_dir(root.path().join("bin")).unwrap();
        std::fs::write(root.path().join("bin/evcxr_jupyter"), "").unwrap();
        let record = |version: &str| {
            let line = format!("[v1]\n\"evcxr_jupyter {version} (registry+index)\" = [\"evcxr_jupyter\"]\n");
            std::fs::write(root.path().join(".crates.toml"), line).unwrap();
        };
        record("0.21.1");
        assert!(installed_in(root.path()).is_none());
        record(VERSION);
        assert!(installed_in(root.path()).is_some());
    }
}
