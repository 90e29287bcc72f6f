//! `isopath kernel`: every running kernel has a build folder of its own, whatever happens to the
//! others.
//!
//! A stand-in for the kernel's program notes what it was given and waits, so that nothing is
//! compiled here.

use std::collections::{BTreeSet, HashSet};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A folder for kernels, and a program that writes its environment beside the connection file, then
/// waits.
struct Environment {
    folder: TempDir,
}

impl Environment {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        script(
            &folder.path().join("program"),
            "env > \"$1.part\"; mv \"$1.part\" \"$1.env\"; exec sleep 60",
        );
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
            .env("ISOPATH_KERNEL_PROGRAM", self.folder.path().join("program"))
            .env("ISOPATH_KERNELS", self.pool())
            .spawn()
            .unwrap();
        let noted = self.folder.path().join(format!("{name}.env"));
        let start = Instant::now();
        while !noted.exists() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the kernel did not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Kernel {
            child,
            environment: std::fs::read_to_string(noted).unwrap(),
        }
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
        self.environment
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }

    fn folder(&self) -> PathBuf {
        self.variable("EVCXR_TMPDIR").unwrap().into()
    }

    /// The folder that the kernel was given.
    fn workspace(&self) -> PathBuf {
        self.variable("ISOPATH_KERNEL_FOLDER").unwrap().into()
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
    assert_eq!(
        third.folder(),
        freed,
        "a killed kernel's folder is used again"
    );
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
    assert!(
        read("Cargo.toml").contains(profile) && include_str!("../Cargo.toml").contains(profile)
    );
    assert!(read("Cargo.toml").contains("\noverflow-checks = false\n"));
    let init = read("config/init.evcxr");
    let root = serde_json::Value::from(env!("CARGO_MANIFEST_DIR"));
    let library =
        format!(":linker system\n:dep isopath = {{ path = {root}, default-features = false }}\n");
    assert!(init.starts_with(&library), "{init}");
    let binary = Path::new(env!("CARGO_BIN_EXE_isopath"));
    let triple = binary.ancestors().nth(2).unwrap().file_name().unwrap();
    let deps = folder.join("target").join(triple).join("debug/deps");
    let is_candle = |path: PathBuf| path.to_string_lossy().contains("libcandle_core-");
    let deps =
        std::fs::read_dir(deps).expect("no compiled dependencies: run `cargo run -- setup` first");
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
        packages
            .map(|package| package.lines().skip(1).take(2).collect())
            .collect()
    };
    let of_the_crate = versions(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"));
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/lib.rs"), "").unwrap();
    // As evcxr does: first a package without dependencies, then the one that a cell asks for.
    for dependency in [
        String::new(),
        format!("isopath = {{ path = {:?} }}", env!("CARGO_MANIFEST_DIR")),
    ] {
        let manifest = format!(
            "[package]\nname = \"ctx\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n"
        );
        std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        let cargo = Command::new(env!("CARGO"))
            .args(["update", "--workspace", "--offline", "--quiet"])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(
            cargo.status.success(),
            "{}",
            String::from_utf8_lossy(&cargo.stderr)
        );
        let found = versions(folder.parent().unwrap().join("Cargo.lock"));
        assert!(found.iter().any(|package| package.contains("candle-core")));
        let others: Vec<_> = found.difference(&of_the_crate).collect();
        assert_eq!(
            others,
            [
                "name = \"ctx\"version = \"0.0.0\"",
                "name = \"pins\"version = \"0.0.0\""
            ]
        );
    }
    kernel.kill();
}

/// Ten notebooks that are opened at once.
#[test]
fn ten_at_once_have_ten_folders() {
    let environment = Environment::new();
    let kernels: Vec<Kernel> = std::thread::scope(|scope| {
        let start = |number| {
            scope.spawn({
                let environment = &environment;
                move || environment.start(&format!("kernel{number}"))
            })
        };
        let started: Vec<_> = (0..10).map(start).collect();
        started
            .into_iter()
            .map(|kernel| kernel.join().unwrap())
            .collect()
    });
    let folders: HashSet<PathBuf> = kernels.iter().map(Kernel::workspace).collect();
    assert_eq!(folders.len(), 10);
    kernels.into_iter().for_each(Kernel::kill);
}

#[test]
fn a_build_that_was_cut_off_or_is_another_compilers_is_replaced() {
    let environment = Environment::new();
    let kernel = environment.start("one");
    let (workspace, cells) = (kernel.workspace(), kernel.folder());
    let spoilt = cells.join("target/spoilt");
    kernel.kill();

    std::fs::write(&spoilt, "").unwrap();
    environment.start("two").kill();
    assert!(spoilt.exists(), "a good build is kept");

    // As the kernel's program leaves it when it is killed while cargo builds.
    std::fs::remove_file(workspace.join("good")).unwrap();
    environment.start("three").kill();
    assert!(!spoilt.exists(), "a build that was cut off is replaced");
    assert!(workspace.join("good").exists());

    std::fs::write(&spoilt, "").unwrap();
    std::fs::write(workspace.join("rustc.txt"), "rustc 1.0.0\n").unwrap();
    environment.start("four").kill();
    assert!(!spoilt.exists(), "another compiler's build is replaced");
}

#[test]
fn a_kernel_without_a_folder_says_why_in_its_cells() {
    let environment = Environment::new();
    // A file where the folders should be.
    std::fs::write(environment.pool(), "").unwrap();
    let kernel = environment.start("one");
    let reason = kernel
        .variable("ISOPATH_KERNEL_REFUSAL")
        .expect("the program is told why")
        .to_owned();
    assert!(
        reason.contains(environment.pool().to_str().unwrap()),
        "{reason}"
    );
    kernel.kill();
}

#[test]
fn a_missing_program_names_the_remedy() {
    let output = Command::new(env!("CARGO_BIN_EXE_isopath"))
        .args(["kernel", "connection.json"])
        .env("ISOPATH_KERNEL_PROGRAM", "/no/such/program")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        message,
        "error: /no/such/program is not there; run `cargo run -- setup`\n"
    );
}
