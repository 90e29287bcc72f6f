//! What a call looks like: no public function takes more than five arguments.

use std::path::Path;

use syn::visit::{self, Visit};

use crate::source::of_crate;

const MOST: usize = 5;

/// Public functions and methods with too many arguments, the receiver aside.
#[derive(Default)]
struct Long {
    seen: usize,
    found: Vec<String>,
}

impl Long {
    fn look(&mut self, visibility: &syn::Visibility, signature: &syn::Signature) {
        if !matches!(visibility, syn::Visibility::Public(_)) {
            return;
        }
        let typed = |input: &&syn::FnArg| matches!(input, syn::FnArg::Typed(_));
        let count = signature.inputs.iter().filter(typed).count();
        self.seen += 1;
        if count > MOST {
            self.found
                .push(format!("{} takes {count}", signature.ident));
        }
    }
}

impl<'ast> Visit<'ast> for Long {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.look(&item.vis, &item.sig);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.look(&item.vis, &item.sig);
        visit::visit_impl_item_fn(self, item);
    }
}

#[test]
fn public_functions_take_at_most_five_arguments() {
    let (mut seen, mut long) = (0, Vec::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for module in of_crate().values() {
        let mut here = Long::default();
        here.visit_file(&syn::parse_file(&std::fs::read_to_string(&module.file).unwrap()).unwrap());
        seen += here.seen;
        let file = module.file.strip_prefix(root).unwrap().display();
        long.extend(here.found.iter().map(|name| format!("{file}: {name}")));
    }
    assert!(seen > 500, "{seen} functions: not all were read");
    assert!(
        long.is_empty(),
        "more than {MOST} arguments:\n{}",
        long.join("\n")
    );
}
