//! `kernel`: what the kernelspec starts.
//!
//! evcxr's own kernel would compile candle anew for every notebook. This one gives evcxr a build folder that is kept,
//! that holds the dependencies as cargo compiled them for the crate, and that no other running kernel uses.

mod folder;
pub mod units;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use super::command::command;
use super::environment::Environment;
use super::project::Project;
use super::{Failure, Result, evcxr};

use folder::Folder;

/// How the C library keeps memory: as for `cargo run`, for the reason that `.cargo/config.toml` gives.
const MEMORY: [(&str, &str); 4] = [
    ("MALLOC_MMAP_THRESHOLD_", "1073741824"),
    ("MALLOC_TRIM_THRESHOLD_", "1073741824"),
    ("MALLOC_TOP_PAD_", "67108864"),
    ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
];

/// Becomes evcxr_jupyter of the environment in the folder `environment` (else of the one that is active), in a folder of
/// the pool.
///
/// # Errors
/// evcxr_jupyter is not installed, or no folder can be prepared. On success it does not return.
pub fn kernel(project: &Project, environment: Option<PathBuf>, connection_file: &Path) -> Result<()> {
    let environment = environment.map_or_else(|| Environment::locate(project), Environment::at);
    let evcxr = evcxr::find(&environment).ok_or_else(|| {
        Failure(format!("evcxr_jupyter {} is not installed; run `cargo run -- setup`", evcxr::VERSION))
    })?;
    let folder = Folder::claim(&project.kernels())?;
    folder.prepare(project)?;
    folder.keep_lock_across_exec()?;
    let error = command(evcxr)
        .arg("--control_file")
        .arg(connection_file)
        .envs(threads())
        .envs(MEMORY.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()))
        .env("EVCXR_TMPDIR", folder.cells())
        .env("EVCXR_CONFIG_DIR", folder.config())
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET_DIR")
        .exec();
    Err(Failure(format!("evcxr_jupyter cannot be started: {error}")))
}

/// How candle uses the processors, for what the user has not set.
fn threads() -> Vec<(&'static str, String)> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // .cargo/config.toml says why one. Where the second is not set, candle reads /proc/cpuinfo for every product.
    [("CANDLE_NUM_THREADS", 1), ("RAYON_NUM_THREADS", processors)]
        .into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none())
        .map(|(name, number)| (name, number.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_as_for_cargo_run() {
        let config = include_str!("../../.cargo/config.toml");
        for (name, value) in MEMORY {
            assert!(config.contains(&format!("{name} = \"{value}\"")), "{name}");
        }
    }
}
