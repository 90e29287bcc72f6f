//! Unit tests with every kind of vector.

use std::process::Command;

/// The kernels choose their vectors once in a process: runs the tests of a module but for those named
/// `every_instruction_set`, of which there are `count`, in a process of their own for each kind of vector that the
/// processor has.
pub(crate) fn with_every_instruction_set(module: &str, count: usize) {
    let sets = [
        ("scalar", true),
        (
            "avx2",
            std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma"),
        ),
        (
            "avx512",
            std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512dq"),
        ),
    ];
    for (set, _) in sets.into_iter().filter(|(_, there)| *there) {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([module, "--skip", "every_instruction_set"])
            .env("ISOPATH_SIMD", set)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let all = format!("{count} passed; 0 failed");
        assert!(
            output.status.success() && said.contains(&all),
            "{set}: {said}"
        );
    }
}
