//! The machine that a task runs on.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use pulp::Arch;
use serde::{Deserialize, Serialize};

use crate::ops::arch;

/// A machine, as a task's record names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Machine {
    /// The name of the host.
    pub host: String,
    /// The processor.
    pub processor: String,
    /// The vector instructions that the numbers were computed with: they decide the last digits.
    pub instructions: String,
}

impl Machine {
    /// The machine of this process.
    pub fn here() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| line.split_once(": "));
        Self {
            host: host(),
            processor: processor.map_or("", |(_, name)| name).to_owned(),
            instructions: instructions().into(),
        }
    }
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Of the kernels of this crate, which `ISOPATH_SIMD` narrows.
fn instructions() -> &'static str {
    match arch() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Ok(Arch::V4(_)) => "AVX-512",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Ok(Arch::V3(_)) => "AVX2",
        Ok(Arch::Scalar) | Err(_) => "no vectors",
        #[allow(unreachable_patterns)]
        Ok(_) => std::env::consts::ARCH,
    }
}

/// The largest memory of this process so far in megabytes; 0 where the system does not say.
pub(super) fn peak_memory_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map_or(0, |kilobytes| kilobytes.div_ceil(1024))
}

/// How long ago this process began, in seconds; 0 where the system does not say.
pub(super) fn seconds_since_start() -> f64 {
    let read = || {
        // The name of the program, in brackets, may hold spaces.
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let ticks: f64 = stat
            .rsplit_once(')')?
            .1
            .split_whitespace()
            .nth(19)?
            .parse()
            .ok()?;
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        Some((uptime - ticks / TICKS).max(0.))
    };
    read().unwrap_or(0.)
}

/// The kernel's USER_HZ, which is the same on every Linux.
const TICKS: f64 = 100.;

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// Whether a process of this machine is alive; one that has ended and was not waited for is not.
pub(super) fn is_alive(process: u32) -> bool {
    if !fs::exists("/proc/self").unwrap_or(false) {
        return true;
    }
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.trim().chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}
