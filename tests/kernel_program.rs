//! The kernel's program is a package of its own (`src/kernel`); here its own tests are run, without
//! the engine.

use std::path::Path;
use std::process::Command;

#[test]
fn its_own_tests_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_BIN_EXE_isopath"))
        .ancestors()
        .nth(3)
        .unwrap()
        .join("kernel/build");
    let output = Command::new(env!("CARGO"))
        .args([
            "test",
            "--locked",
            "--no-default-features",
            "--manifest-path",
        ])
        .arg(root.join("src/kernel/Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        // From the root folder: the flags of this project's .cargo/config.toml are not for it.
        .current_dir("/")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // Both programs have tests that ran.
    let passed = said
        .lines()
        .filter(|line| line.starts_with("test result: ok. ") && !line.contains(" 0 passed"));
    assert_eq!(passed.count(), 2, "{said}");
}
