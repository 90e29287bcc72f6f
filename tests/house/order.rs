//! No circle between files, and each floor imports only lower ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::{Module, Modules, defining, modules, of_crate};

/// The modules of the crate by floor; within a floor, the modules of a later list may use those of an
/// earlier one.
const FLOORS: [&[&str]; 10] = [
    &["error", "interrupt"],
    &[
        "device",
        "scale",
        "statistics",
        "io",
        "rng",
        "checks",
        "display",
        "progress",
    ],
    &["distances", "datasets", "ops"],
    &["optimizers", "embedding"],
    &["models"],
    &["losses", "metrics"],
    &["training", "attacks", "paths", "lipschitz"],
    &["figures"],
    &["experiments", "grading"],
    &["prelude"],
];

/// Which file uses which others.
fn edges(all: &Modules) -> BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> {
    let of = |(path, module): (&'_ Vec<String>, &'_ Module)| {
        let targets = module.uses.iter().filter_map(|name| defining(all, name));
        let own = targets.filter(|target| *target != path);
        own.collect::<BTreeSet<_>>()
    };
    all.iter()
        .map(|(path, module)| (path, of((path, module))))
        .collect()
}

/// The groups of files that use each other, directly or through others.
fn circles<'m>(edges: &BTreeMap<&'m Vec<String>, BTreeSet<&'m Vec<String>>>) -> Vec<Vec<String>> {
    let reached_from = |start: &'m Vec<String>| -> BTreeSet<&'m Vec<String>> {
        let mut reached = BTreeSet::new();
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            open.extend(
                edges[at]
                    .iter()
                    .copied()
                    .filter(|next| reached.insert(*next)),
            );
        }
        reached
    };
    let reached: BTreeMap<_, _> = edges.keys().map(|at| (*at, reached_from(at))).collect();
    let mut groups: Vec<Vec<String>> = Vec::new();
    for (at, own) in reached.iter().filter(|(at, own)| own.contains(*at)) {
        let group = own.iter().filter(|other| reached[*other].contains(at));
        let group: Vec<String> = group.map(|path| path.join("::")).collect();
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

#[test]
fn files_form_no_circle() {
    let all = of_crate();
    let edges = edges(&all);
    let count: usize = edges.values().map(BTreeSet::len).sum();
    assert!(
        all.len() > 100 && count > 300,
        "{} files, {count} uses: not all were read",
        all.len()
    );
    assert_eq!(circles(&edges), Vec::<Vec<String>>::new());
    let lines = |file: &Path| std::fs::read_to_string(file).unwrap().lines().count();
    let mut sizes: Vec<(usize, &Path)> = all
        .values()
        .map(|module| (lines(&module.file), module.file.as_path()))
        .collect();
    sizes.sort();
    println!(
        "{} files, {count} uses between them; the largest:",
        all.len()
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (lines, file) in sizes.iter().rev().take(12) {
        println!(
            "{lines:5} lines  {}",
            file.strip_prefix(root).unwrap().display()
        );
    }
}

#[test]
fn each_floor_uses_only_lower_ones() {
    let all = of_crate();
    let floor = |path: &Vec<String>| {
        let place = FLOORS
            .iter()
            .position(|floor| floor.contains(&path[0].as_str()));
        place.unwrap_or_else(|| panic!("{} stands on no floor of tests/house.rs", path[0]))
    };
    for (path, targets) in edges(&all).into_iter().filter(|(path, _)| !path.is_empty()) {
        for target in targets {
            let (from, to) = (path.join("::"), target.join("::"));
            let same = path[0] == target[0];
            assert!(
                same || floor(target) <= floor(path),
                "{from} uses {to}, a floor above it"
            );
        }
    }
}

#[test]
fn a_circle_is_found_through_what_a_module_exports() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "lib.rs",
        "mod a; mod b; pub use b::B; use a::A; fn f() -> A { todo!() }",
    );
    write("a.rs", "pub struct A; fn g() { let _ = crate::B; }");
    write("b.rs", "pub struct B;");
    let root = folder.path().join("lib.rs");
    assert!(circles(&edges(&modules(&root))).is_empty());
    write("b.rs", "use super::a::A; pub struct B(A);");
    assert_eq!(circles(&edges(&modules(&root))), [["a", "b"]]);
    write("b.rs", "pub use super::b::B; pub struct C;");
    assert!(circles(&edges(&modules(&root))).is_empty());
    // What only tests use does not count.
    write(
        "b.rs",
        "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
    );
    assert!(circles(&edges(&modules(&root))).is_empty());
}
