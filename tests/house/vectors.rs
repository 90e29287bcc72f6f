//! Loops that run with the processor's vectors.

use crate::source::of_crate;

/// Where `.dispatch(` is given a closure.
fn closures(source: &str) -> Vec<String> {
    let words: Vec<&str> = source.split_whitespace().collect();
    let joined = words.concat().replace("#[inline(always)]", "");
    let after = joined.split(".dispatch(").skip(1);
    after
        .filter(|after| after.starts_with("||") || after.starts_with("move||"))
        .map(|after| after.chars().take(40).collect())
        .collect()
}

/// A long closure that pulp calls by value is a function of its own, without vectors.
#[test]
fn loops_are_given_to_the_macro() {
    for (path, module) in of_crate() {
        let source = std::fs::read_to_string(&module.file).unwrap();
        let found = closures(&source);
        assert!(
            found.is_empty(),
            "{}: use `vectorised!` for {found:?}",
            path.join("::")
        );
    }
}

#[test]
fn a_closure_is_found() {
    let source =
        "arch()?.dispatch(Lanes); arch.dispatch(\n    #[inline(always)]\n    || add(a, b),\n);";
    assert_eq!(closures(source), ["||add(a,b),);"]);
}
