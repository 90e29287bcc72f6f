//! What the files of the crate hold: their items, what they export and what they use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// A module: its file, and what its `use` declarations export under which name.
#[derive(Default)]
pub struct Module {
    pub file: PathBuf,
    pub exports: BTreeMap<String, Vec<String>>,
    /// Paths that its own code names.
    pub uses: Vec<Vec<String>>,
    /// The items that are public, if the module itself can be reached.
    pub items: Vec<PublicItem>,
    /// The modules inside it that are public.
    children: Vec<String>,
}

/// A public function, type or trait, or a trait that a type implements.
pub struct PublicItem {
    pub name: String,
    pub docs: String,
    pub is_function: bool,
    /// Whether it gives a `Result`.
    pub is_fallible: bool,
}

/// The modules of the crate by path, `["attacks", "pgd"]`.
pub type Modules = BTreeMap<Vec<String>, Module>;

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
                if is_public(&child.vis) {
                    module.children.push(name.clone());
                }
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
            other => {
                module.items.extend(public_item(other));
                names.visit_item(other);
            }
        }
    }
    module.uses = names.uses;
    all.insert(path, module);
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

/// The item, if it is a public function, type or trait.
fn public_item(item: &syn::Item) -> Option<PublicItem> {
    let (name, visibility, attributes, function) = match item {
        syn::Item::Fn(item) => (&item.sig.ident, &item.vis, &item.attrs, Some(&item.sig)),
        syn::Item::Struct(item) => (&item.ident, &item.vis, &item.attrs, None),
        syn::Item::Enum(item) => (&item.ident, &item.vis, &item.attrs, None),
        syn::Item::Trait(item) => (&item.ident, &item.vis, &item.attrs, None),
        _ => return None,
    };
    let gives_result = |signature: &syn::Signature| {
        let syn::ReturnType::Type(_, kind) = &signature.output else {
            return false;
        };
        matches!(kind.as_ref(), syn::Type::Path(path)
            if path.path.segments.last().is_some_and(|last| last.ident == "Result"))
    };
    is_public(visibility).then(|| PublicItem {
        name: name.to_string(),
        docs: docs(attributes),
        is_function: function.is_some(),
        is_fallible: function.is_some_and(gives_result),
    })
}

/// The documentation comment among an item's attributes.
fn docs(attributes: &[syn::Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            continue;
        };
        if let syn::Expr::Lit(literal) = &pair.value
            && let syn::Lit::Str(text) = &literal.lit
            && pair.path.is_ident("doc")
        {
            lines.push(text.value());
        }
    }
    lines.join("\n")
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
pub fn defining<'m>(all: &'m Modules, path: &[String]) -> Option<&'m Vec<String>> {
    let mut here: Vec<String> = Vec::new();
    for (at, name) in path.iter().enumerate() {
        let child = [here.clone(), vec![name.clone()]].concat();
        if all.contains_key(&child) {
            here = child;
            continue;
        }
        // A name that exports itself leads nowhere.
        let target = all[&here].exports.get(name);
        if let Some(target) = target.filter(|target| **target != child) {
            let rest = &path[at + 1..];
            return defining(all, &[target.as_slice(), rest].concat());
        }
        break;
    }
    let (key, _) = all.get_key_value(&here)?;
    (!key.is_empty()).then_some(key)
}

pub fn modules(root: &Path) -> Modules {
    let mut all = Modules::new();
    read_module(Vec::new(), root, &mut all);
    all
}

pub fn of_crate() -> Modules {
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
}

/// What can be named from outside the crate: the paths by which it is reached (`ops::linear`), and the item.
pub fn reachable(all: &Modules) -> BTreeMap<String, &PublicItem> {
    let mut found = BTreeMap::new();
    let mut open = vec![Vec::<String>::new()];
    while let Some(path) = open.pop() {
        let module = &all[&path];
        let named = |name: &str| [path.as_slice(), &[name.to_string()]].concat();
        for item in &module.items {
            found.insert(named(&item.name).join("::"), item);
        }
        for (name, target) in &module.exports {
            if let Some(item) = exported(all, target) {
                found.insert(named(name).join("::"), item);
            }
        }
        open.extend(module.children.iter().map(|name| named(name)));
    }
    found
}

/// The item that an export names, through other exports.
fn exported<'m>(all: &'m Modules, target: &[String]) -> Option<&'m PublicItem> {
    let (name, module) = target.split_last()?;
    let module = all.get(module)?;
    let own = module.items.iter().find(|item| item.name == *name);
    // Another crate's name is exported as itself.
    let further = || {
        module
            .exports
            .get(name)
            .filter(|further| *further != target)
    };
    own.or_else(|| exported(all, further()?))
}
