//! How candle uses the processors. It reads its variables before each of its products, and what is
//! missing from /proc/cpuinfo, which takes longer than the product of a small layer.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The variables that the user has not set.
pub fn variables() -> Vec<(&'static str, String)> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // .cargo/config.toml says why one.
    [("CANDLE_NUM_THREADS", 1), ("RAYON_NUM_THREADS", processors)]
        .into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none())
        .map(|(name, number)| (name, number.to_string()))
        .collect()
}

/// Starts this program again in its own place, with the variables that are missing: a program that
/// runs does not safely set its own. If that is not possible, it goes on without them.
pub fn begin_with_variables() {
    let missing = variables();
    if let (false, Ok(program)) = (missing.is_empty(), std::env::current_exe()) {
        let arguments = std::env::args_os().skip(1);
        // Comes back only if it fails.
        let error = Command::new(program).args(arguments).envs(missing).exec();
        eprintln!("isopath: cannot start again with RAYON_NUM_THREADS ({error}), so it is slower");
    }
}
