//! The order of the house: no circle between files, and each floor imports only lower ones.
//!
//! `cargo test --test house -- --nocapture` also prints the largest files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

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
    &["experiments"],
    &["prelude"],
];

/// A module: its file, and what its `use` declarations export under which name.
#[derive(Default)]
struct Module {
    file: PathBuf,
    exports: BTreeMap<String, Vec<String>>,
    /// Paths that its own code names.
    uses: Vec<Vec<String>>,
}

/// The modules of the crate by path, `["attacks", "pgd"]`.
type Modules = BTreeMap<Vec<String>, Module>;

fn read_module(path: Vec<String>, file: &Path, all: &mut Modules) {
    let source = std::fs::read_to_string(file).unwrap();
    let parsed = syn::parse_file(&source).unwrap();
    let mut module = Module {
        file: file.to_path_buf(),
        ..Module::default()
    };
    let folder = match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "mod") => file.parent().unwrap().to_path_buf(),
        Some(stem) => file.parent().unwrap().join(stem),
        None => unreachable!("a file without a name"),
    };
    let mut names = Names {
        module: &path,
        inside: Vec::new(),
        uses: Vec::new(),
    };
    for item in &parsed.items {
        match item {
            syn::Item::Mod(child) if child.content.is_none() => {
                let name = child.ident.to_string();
                let mut child_path = path.clone();
                child_path.push(name.clone());
                let flat = folder.join(format!("{name}.rs"));
                let nested = folder.join(&name).join("mod.rs");
                let file = if flat.exists() { flat } else { nested };
                read_module(child_path, &file, all);
            }
            syn::Item::Use(item) if !matches!(item.vis, syn::Visibility::Inherited) => {
                for (target, name) in use_paths(&item.tree) {
                    module.exports.insert(name, absolute(&path, &target));
                }
            }
            other if is_test(other) => {}
            other => names.visit_item(other),
        }
    }
    module.uses = names.uses;
    all.insert(path, module);
}

/// Code that is compiled for tests alone.
fn is_test(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        list.path.is_ident("cfg") && list.tokens.to_string().contains("test")
    })
}

/// Every path of a `use` tree, and the name that it gets.
fn use_paths(tree: &syn::UseTree) -> Vec<(Vec<String>, String)> {
    match tree {
        syn::UseTree::Path(part) => {
            let name = part.ident.to_string();
            let rest = use_paths(&part.tree).into_iter();
            rest.map(|(path, as_name)| {
                let as_name = if path.is_empty() {
                    name.clone()
                } else {
                    as_name
                };
                ([vec![name.clone()], path].concat(), as_name)
            })
            .collect()
        }
        // `use a::{self}` is the path before it.
        syn::UseTree::Name(name) if name.ident == "self" => vec![(Vec::new(), String::new())],
        syn::UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        syn::UseTree::Rename(name) if name.ident == "self" => {
            vec![(Vec::new(), name.rename.to_string())]
        }
        syn::UseTree::Rename(name) => {
            vec![(vec![name.ident.to_string()], name.rename.to_string())]
        }
        syn::UseTree::Glob(_) => vec![(Vec::new(), "*".into())],
        syn::UseTree::Group(group) => group.items.iter().flat_map(use_paths).collect(),
    }
}

/// A path from the crate's root; others, as `std::…`, begin with a name that is no module.
fn absolute(module: &[String], path: &[String]) -> Vec<String> {
    let mut base = module.to_vec();
    let mut rest = path;
    match rest.first().map(String::as_str) {
        Some("crate") => return rest[1..].to_vec(),
        Some("self") => rest = &rest[1..],
        Some("super") => {}
        // A child module, or another crate.
        _ => return [base, rest.to_vec()].concat(),
    }
    while rest.first().is_some_and(|first| first == "super") {
        base.pop();
        rest = &rest[1..];
    }
    [base, rest.to_vec()].concat()
}

/// Collects the paths that a module's code names.
struct Names<'a> {
    module: &'a [String],
    /// Inline modules around the code.
    inside: Vec<String>,
    uses: Vec<Vec<String>>,
}

impl Names<'_> {
    fn add(&mut self, path: &[String]) {
        let here = [self.module, self.inside.as_slice()].concat();
        self.uses.push(absolute(&here, path));
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for (path, _) in use_paths(&item.tree) {
            self.add(&path);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.inside.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.inside.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        if names.len() > 1 {
            self.add(&names);
        }
        visit::visit_path(self, path);
    }
}

/// The module that defines what a path names, if it is one of this crate.
fn defining<'m>(all: &'m Modules, path: &[String]) -> Option<&'m Vec<String>> {
    let mut here: Vec<String> = Vec::new();
    for (at, name) in path.iter().enumerate() {
        let child = [here.clone(), vec![name.clone()]].concat();
        if all.contains_key(&child) {
            here = child;
            continue;
        }
        let module = &all[&here];
        if let Some(target) = module.exports.get(name) {
            let rest = &path[at + 1..];
            return defining(all, &[target.as_slice(), rest].concat());
        }
        break;
    }
    let (key, _) = all.get_key_value(&here)?;
    (!key.is_empty()).then_some(key)
}

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

fn modules(root: &Path) -> Modules {
    let mut all = Modules::new();
    read_module(Vec::new(), root, &mut all);
    all
}

fn of_crate() -> Modules {
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
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
    // What only tests use does not count.
    write(
        "b.rs",
        "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
    );
    assert!(circles(&edges(&modules(&root))).is_empty());
}
