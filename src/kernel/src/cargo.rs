//! The cargo that rust-analyzer asks about the cells' package.
//!
//! rust-analyzer loads the source of every package that `cargo metadata` lists, and most of those
//! that the library needs are never named in a cell. The answer here lists only those whose types a
//! cell can name; every other question goes to cargo. Answers are kept in the kernel's folder until
//! something that they depend on changes, since the same dozen questions come at every start, each
//! answered by a process or two.
//!
//! evcxr asks the same cargo, to which compiling is passed on as it is.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::names;

mod build;
mod direct;

/// The package beside the cells' in a kernel's folder.
const PINS: &str = "pins";

/// Of the packages that the standard library is made of, those that a cell can name, and what they
/// cannot be read without.
const STANDARD_LIBRARY: [&str; 9] = [
    "core",
    "alloc",
    "std",
    "proc_macro",
    "cfg-if",
    "hashbrown",
    "rustc-std-workspace-core",
    "rustc-std-workspace-alloc",
    "rustc-std-workspace-std",
];

/// Answers like cargo.
///
/// # Errors
/// cargo cannot be started, or its answer cannot be understood.
pub fn run() -> Result<(), String> {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    // evcxr checks a cell where it cannot tell a variable's type. cargo would check every
    // dependency first, for minutes; they are built already, and a build finds the same errors.
    if let Some(command) = arguments.first_mut().filter(|command| *command == "check") {
        *command = "build".into();
    }
    let mut cargo = cargo()?;
    cargo.args(&arguments);
    let is = |names: &[&str]| {
        arguments
            .first()
            .is_some_and(|first| names.iter().any(|name| first == name))
    };
    if is(&["build"]) {
        let kept = build::Kept {
            outcome: kept(&arguments, Of::Code),
            call: kept(&arguments, Of::Library),
        };
        return build::run(&mut cargo, kept);
    }
    if !is(&[
        "metadata",
        "locate-project",
        "config",
        "rustc",
        "--version",
        "-V",
        "-Z",
    ]) {
        return Err(format!("cargo cannot be started: {}", cargo.exec()));
    }
    let kept = kept(&arguments, Of::Manifests);
    if let Some(answer) = kept.as_ref().and_then(|path| std::fs::read(path).ok()) {
        return print(&answer);
    }
    let output = cargo
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        std::process::exit(output.status.code().unwrap_or(1));
    }
    let answer = if is(&["metadata"]) {
        nameable(&output.stdout).unwrap_or(output.stdout)
    } else {
        output.stdout
    };
    if let Some(path) = kept {
        // Only a convenience: what cannot be kept is asked again.
        let _ = write_whole(&path, &answer);
    }
    print(&answer)
}

/// Answers like `rustup which cargo` and `rustup which rustc`, by which evcxr looks for both.
///
/// # Errors
/// Anything else is asked.
pub fn run_rustup() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let found = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["which", "cargo"] => {
            std::env::var_os(names::ANALYSIS_HOME).map(|home| Path::new(&home).join("bin/cargo"))
        }
        ["which", "rustc"] => std::env::var_os(names::RUSTC).map(PathBuf::from),
        _ => None,
    };
    println!(
        "{}",
        found
            .ok_or("only `which cargo` and `which rustc` are answered")?
            .display()
    );
    Ok(())
}

/// The cargo that compiles, in the user's own environment.
fn cargo() -> Result<Command, String> {
    let path = std::env::var_os(names::CARGO).ok_or(format!("{} is not set", names::CARGO))?;
    let mut cargo = Command::new(path);
    if let (Some(path), Some(home)) = (
        std::env::var_os("PATH"),
        std::env::var_os(names::ANALYSIS_HOME),
    ) {
        let bin = Path::new(&home).join("bin");
        let others = std::env::split_paths(&path).filter(|folder| *folder != bin);
        cargo.env(
            "PATH",
            std::env::join_paths(others).map_err(|error| error.to_string())?,
        );
    }
    match std::env::var_os(names::CARGO_HOME) {
        Some(home) if !home.is_empty() => cargo.env("CARGO_HOME", home),
        _ => cargo.env_remove("CARGO_HOME"),
    };
    Ok(cargo)
}

fn print(answer: &[u8]) -> Result<(), String> {
    std::io::stdout()
        .write_all(answer)
        .map_err(|error| error.to_string())
}

/// What an answer depends on.
#[derive(Clone, Copy, Hash, PartialEq, PartialOrd)]
enum Of {
    /// The manifests of the cells' package and of the library.
    Manifests,
    /// The compiled library, too, and its sources.
    Library,
    /// The code of the cell, too.
    Code,
}

/// Where the answer to these arguments is kept: named by everything that it depends on. None where
/// nothing is kept.
fn kept(arguments: &[OsString], of: Of) -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os(names::ANALYSIS_HOME)?);
    let mut hasher = DefaultHasher::new();
    // rust-analyzer copies the lock file to a new place each time.
    let mut is_place = false;
    for argument in arguments {
        let is_copy = std::mem::replace(&mut is_place, argument == "--lockfile-path");
        if !is_copy {
            argument.hash(&mut hasher);
        }
    }
    std::env::current_dir().ok()?.hash(&mut hasher);
    for name in [names::PACKAGES, "RUSTFLAGS", "RUSTUP_TOOLCHAIN"] {
        std::env::var_os(name).hash(&mut hasher);
    }
    let mut files: Vec<PathBuf> = [names::CARGO, names::RUSTC]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(Into::into)
        .collect();
    files.push(std::env::current_exe().ok()?);
    of.hash(&mut hasher);
    let library = std::env::var_os(names::LIBRARY)
        .map(PathBuf::from)
        .unwrap_or_default();
    if of >= Of::Library {
        let package = PathBuf::from(std::env::var_os("EVCXR_TMPDIR")?);
        let target = arguments
            .iter()
            .position(|argument| argument == "--target")
            .and_then(|at| arguments.get(at + 1))?;
        files.push(
            package
                .join("target")
                .join(target)
                .join("debug/deps/libisopath.so"),
        );
        collect(&library.join("src"), &mut files).ok()?;
        if of == Of::Code {
            std::fs::read(package.join("src/lib.rs"))
                .ok()?
                .hash(&mut hasher);
        }
    }
    for path in files {
        let file = path.metadata().ok()?;
        (&path, file.len(), file.modified().ok()).hash(&mut hasher);
    }
    let manifest = arguments
        .iter()
        .position(|argument| argument == "--manifest-path");
    let manifest = manifest
        .and_then(|at| arguments.get(at + 1))
        .map(PathBuf::from);
    is_first_look().hash(&mut hasher);
    let folder = manifest
        .as_deref()
        .and_then(Path::parent)
        .map_or_else(std::env::current_dir, |path| Ok(path.into()));
    // The manifests of the package and of the workspace around it. Their versions are the
    // library's, and what cargo adds to their lock file it adds each time.
    let cells = PathBuf::from(std::env::var_os("EVCXR_TMPDIR").unwrap_or_default());
    for folder in folder.ok()?.ancestors().take(2).chain([cells.as_path()]) {
        for file in ["Cargo.toml", ".cargo/config.toml"] {
            std::fs::read(folder.join(file)).ok().hash(&mut hasher);
        }
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        std::fs::read(library.join(file)).ok().hash(&mut hasher);
    }
    Some(
        home.join("answers")
            .join(format!("{:016x}", hasher.finish())),
    )
}

/// Every file in a folder and below, in order.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    found.sort();
    for path in found {
        if path.is_dir() {
            collect(&path, files)?
        } else {
            files.push(path)
        }
    }
    Ok(())
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// cargo's description of the packages, of which only those stay that a cell can name: the
/// workspace's own, the ones that [`names::PACKAGES`] lists, and direct dependencies that a cell
/// asked for itself. None if it is no such description.
fn nameable(metadata: &[u8]) -> Option<Vec<u8>> {
    let listed = std::env::var(names::PACKAGES).ok()?;
    let listed: HashSet<&str> = listed.split(',').collect();
    let mut metadata: Value = serde_json::from_slice(metadata).ok()?;
    keep_nameable(&mut metadata, &listed, is_first_look())?;
    serde_json::to_vec(&metadata).ok()
}

/// Whether the cells' package has no dependencies yet. evcxr evaluates `42` in it before anything
/// else, which needs to know no type; what rust-analyzer loads for that it would load again for the
/// library.
fn is_first_look() -> bool {
    let folder = std::env::var_os("EVCXR_TMPDIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    manifest
        .split_once("[dependencies]")
        .is_some_and(|(_, dependencies)| dependencies.trim().is_empty())
}

fn keep_nameable(metadata: &mut Value, listed: &HashSet<&str>, is_first_look: bool) -> Option<()> {
    let mut members: HashSet<String> = ids(metadata.get("workspace_members")?);
    let packages = metadata.get("packages")?.as_array()?;
    if packages.iter().any(|package| package["name"] == "core") {
        let needed = if is_first_look {
            HashSet::new()
        } else {
            HashSet::from(STANDARD_LIBRARY)
        };
        return keep(metadata, &named(packages, &needed));
    }
    // The folder's other member, which only holds the library's dependencies in place.
    let pins = packages
        .iter()
        .find(|package| package["name"] == PINS)
        .and_then(|package| package["id"].as_str());
    if let Some(pins) = pins {
        members.remove(pins);
    }
    let nodes = metadata.pointer("/resolve/nodes").and_then(Value::as_array);
    let dependencies: HashMap<&str, HashSet<String>> = nodes
        .into_iter()
        .flatten()
        .filter_map(|node| Some((node["id"].as_str()?, ids(&node["dependencies"]))))
        .collect();
    let asked: HashSet<String> = members
        .iter()
        .filter_map(|id| dependencies.get(id.as_str()))
        .flatten()
        .cloned()
        .collect();
    let reached = reachable(&members, &dependencies);
    // What a cell asks for itself stays whole.
    let of_library = named(packages, listed);
    let others: HashSet<String> = asked.difference(&of_library).cloned().collect();
    let others = reachable(&others, &dependencies);
    let mut kept: HashSet<String> = of_library.intersection(&reached).cloned().collect();
    kept.extend(members);
    kept.extend(asked);
    kept.extend(others);
    keep(metadata, &kept)
}

/// These packages, and all that they depend on.
fn reachable(
    from: &HashSet<String>,
    dependencies: &HashMap<&str, HashSet<String>>,
) -> HashSet<String> {
    let mut reached = from.clone();
    let mut next: Vec<String> = from.iter().cloned().collect();
    while let Some(id) = next.pop() {
        for dependency in dependencies.get(id.as_str()).into_iter().flatten() {
            if reached.insert(dependency.clone()) {
                next.push(dependency.clone());
            }
        }
    }
    reached
}

/// The ids of the packages that have one of these names.
fn named(packages: &[Value], names: &HashSet<&str>) -> HashSet<String> {
    let is_named = |package: &&Value| {
        package["name"]
            .as_str()
            .is_some_and(|name| names.contains(name))
    };
    packages
        .iter()
        .filter(is_named)
        .filter_map(|package| package["id"].as_str().map(str::to_owned))
        .collect()
}

/// Leaves out every package but these, and every mention of it.
fn keep(metadata: &mut Value, kept: &HashSet<String>) -> Option<()> {
    let is_kept = |id: &Value| id.as_str().is_some_and(|id| kept.contains(id));
    for list in ["workspace_members", "workspace_default_members"] {
        if let Some(members) = metadata.get_mut(list).and_then(Value::as_array_mut) {
            members.retain(is_kept);
        }
    }
    metadata
        .get_mut("packages")?
        .as_array_mut()?
        .retain(|package| is_kept(&package["id"]));
    if let Some(nodes) = metadata
        .pointer_mut("/resolve/nodes")
        .and_then(Value::as_array_mut)
    {
        nodes.retain(|node| is_kept(&node["id"]));
        for node in nodes {
            if let Some(dependencies) = node["dependencies"].as_array_mut() {
                dependencies.retain(is_kept);
            }
            if let Some(dependencies) = node["deps"].as_array_mut() {
                dependencies.retain(|dependency| is_kept(&dependency["pkg"]));
            }
        }
    }
    Some(())
}

fn ids(list: &Value) -> HashSet<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_a_cell_can_name_stays() {
        let package = |name: &str| json!({"name": name, "id": name});
        let node = |name: &str, on: &[&str]| {
            let deps: Vec<Value> = on.iter().map(|on| json!({"pkg": on})).collect();
            json!({"id": name, "dependencies": on, "deps": deps})
        };
        let mut metadata = json!({
            "packages": [package("ctx"), package("pins"), package("library"), package("tensors"), package("gemm"),
                package("asked"), package("its own"), package("far")],
            "workspace_members": ["ctx", "pins"],
            "resolve": {"nodes": [
                node("ctx", &["library", "asked"]),
                node("pins", &["far"]),
                node("library", &["tensors", "gemm"]),
                node("tensors", &["gemm"]),
                node("gemm", &[]),
                node("asked", &["its own"]),
                node("its own", &[]),
            ]},
        });
        keep_nameable(
            &mut metadata,
            &HashSet::from(["library", "tensors", "far"]),
            false,
        )
        .unwrap();
        let names = ids(&Value::Array(
            metadata["packages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|package| package["name"].clone())
                .collect(),
        ));
        assert_eq!(
            names,
            HashSet::from(["ctx", "library", "tensors", "asked", "its own"].map(str::to_owned))
        );
        let library = &metadata["resolve"]["nodes"][1];
        assert_eq!(library["dependencies"], json!(["tensors"]));
        assert_eq!(library["deps"], json!([{"pkg": "tensors"}]));
    }

    #[test]
    fn the_standard_library_is_what_it_shows_and_other_answers_stay_as_they_are() {
        let mut library = json!({
            "packages": [{"name": "core", "id": "1"}, {"name": "std", "id": "2"}, {"name": "libc", "id": "3"}],
            "workspace_members": ["1", "2"],
            "resolve": {"nodes": [{"id": "2", "dependencies": ["1", "3"], "deps": [{"pkg": "1"}, {"pkg": "3"}]}]},
        });
        keep_nameable(&mut library, &HashSet::new(), false).unwrap();
        assert_eq!(library["packages"].as_array().unwrap().len(), 2);
        assert_eq!(library["resolve"]["nodes"][0]["dependencies"], json!(["1"]));
        assert!(keep_nameable(&mut json!({"root": "/"}), &HashSet::new(), false).is_none());
    }
}
