//! The kernel wrapper: every running kernel has a build folder of its own, whatever happens to the others.
//!
//! A stand-in for evcxr_jupyter notes what it was given and waits, so that nothing is compiled here.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A Jupyter environment whose evcxr_jupyter writes its environment beside the connection file, then waits.
struct Environment {
    folder: TempDir,
}

impl Environment {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path();
        std::fs::create_dir(prefix.join("bin")).unwrap();
        std::fs::write(
            prefix.join(".crates.toml"),
            "[v1]\n\"evcxr_jupyter 0.22.0 (registry+index)\" = [\"evcxr_jupyter\"]\n",
        )
        .unwrap();
        script(&prefix.join("bin/python"), "exit 0");
        script(&prefix.join("bin/evcxr_jupyter"), "env > \"$2.part\"; mv \"$2.part\" \"$2.env\"; exec sleep 60");
        Self { folder }
    }

    fn pool(&self) -> PathBuf {
        self.folder.path().join("kernels")
    }

    fn start(&self, name: &str) -> Kernel {
        let connection = self.folder.path().join(name);
        let child = Command::new(env!("CARGO_BIN_EXE_isopath"))
            .arg("kernel")
            .arg(&connection)
            .env("VIRTUAL_ENV", self.folder.path())
            .env_remove("CONDA_PREFIX")
            .env("ISOPATH_KERNELS", self.pool())
            .spawn()
            .unwrap();
        let noted = connection.with_extension("env");
        let start = Instant::now();
        while !noted.exists() {
            assert!(start.elapsed() < Duration::from_secs(60), "the kernel did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Kernel { child, environment: std::fs::read_to_string(noted).unwrap() }
    }
}

fn script(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

struct Kernel {
    child: Child,
    environment: String,
}

impl Kernel {
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }

    fn folder(&self) -> PathBuf {
        self.variable("EVCXR_TMPDIR").unwrap().into()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }
}

#[test]
fn two_at_once_share_nothing_and_a_killed_kernel_leaves_its_folder_free() {
    let environment = Environment::new();
    let first = environment.start("one");
    let second = environment.start("two");
    assert_ne!(first.folder(), second.folder());
    assert!(first.folder().starts_with(environment.pool()));
    let freed = first.folder();
    std::fs::create_dir_all(freed.join("target")).unwrap();
    first.kill();
    let third = environment.start("three");
    assert_eq!(third.folder(), freed, "a killed kernel's folder is used again");
    second.kill();
    third.kill();
}

#[test]
fn evcxr_gets_the_crates_profile_versions_and_compiled_dependencies() {
    let environment = Environment::new();
    let kernel = environment.start("one");
    assert_eq!(kernel.variable("CARGO_TARGET_DIR"), None);
    let folder = kernel.folder();
    let workspace = folder.parent().unwrap();
    let read = |path: &str| std::fs::read_to_string(workspace.join(path)).unwrap();
    let profile = "[profile.dev]\nopt-level = 3\n";
    assert!(read("Cargo.toml").contains(profile) && include_str!("../Cargo.toml").contains(profile));
    assert!(read("Cargo.toml").contains("\noverflow-checks = false\n"));
    let init = read("config/init.evcxr");
    assert_eq!(init, ":linker system\n");
    let binary = Path::new(env!("CARGO_BIN_EXE_isopath"));
    let triple = binary.ancestors().nth(2).unwrap().file_name().unwrap();
    let deps = folder.join("target").join(triple).join("debug/deps");
    let is_candle = |path: PathBuf| path.to_string_lossy().contains("libcandle_core-");
    let deps = std::fs::read_dir(deps).expect("no compiled dependencies: run `cargo run -- setup` first");
    assert!(deps.map(|entry| entry.unwrap().path()).any(is_candle));
    kernel.kill();
}

#[test]
fn versions_stay_those_of_the_crate_whatever_cells_ask_for() {
    let environment = Environment::new();
    let kernel = environment.start("one");
    let folder = kernel.folder();
    let versions = |lock: PathBuf| -> BTreeSet<String> {
        let lock = std::fs::read_to_string(lock).unwrap();
        let packages = lock.split("[[package]]").skip(1);
        packages.map(|package| package.lines().skip(1).take(2).collect()).collect()
    };
    let of_the_crate = versions(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"));
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/lib.rs"), "").unwrap();
    // As evcxr does: first a package without dependencies, then the one that a cell asks for.
    for dependency in [String::new(), format!("isopath = {{ path = {:?} }}", env!("CARGO_MANIFEST_DIR"))] {
        let manifest = format!("[package]\nname = \"ctx\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n");
        std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        let cargo = Command::new(env!("CARGO"))
            .args(["update", "--workspace", "--offline", "--quiet"])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
        let found = versions(folder.parent().unwrap().join("Cargo.lock"));
        assert!(found.iter().any(|package| package.contains("candle-core")));
        let others: Vec<_> = found.difference(&of_the_crate).collect();
        assert_eq!(others, ["name = \"ctx\"version = \"0.0.0\"", "name = \"pins\"version = \"0.0.0\""]);
    }
    kernel.kill();
}

#[test]
fn a_missing_evcxr_names_the_remedy() {
    let environment = Environment::new();
    std::fs::remove_file(environment.folder.path().join(".crates.toml")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_isopath"))
        .args(["kernel", "connection.json"])
        .env("VIRTUAL_ENV", environment.folder.path())
        .env_remove("CONDA_PREFIX")
        .env("CARGO_HOME", environment.folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message, "error: evcxr_jupyter 0.22.0 is not installed; run `cargo run -- setup`\n");
}
